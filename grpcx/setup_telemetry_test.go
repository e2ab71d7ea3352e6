package grpcx_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// Providers that remember whether they were asked.
type (
	tracers struct {
		tracenoop.TracerProvider
		asked chan string
	}
	meters struct {
		metricnoop.MeterProvider
		asked chan string
	}
)

func (p *tracers) Tracer(name string, opts ...trace.TracerOption) trace.Tracer {
	p.asked <- name
	return p.TracerProvider.Tracer(name, opts...)
}

func (p *meters) Meter(name string, opts ...metric.MeterOption) metric.Meter {
	select {
	case p.asked <- name:
	default: // the server's own instruments
	}
	return p.MeterProvider.Meter(name, opts...)
}

func TestSetupProviders(t *testing.T) {
	tp, mp := &tracers{asked: make(chan string, 1)}, &meters{asked: make(chan string, 1)}
	var seen trace.SpanContext
	svc := &service{unary: func(ctx context.Context) error {
		seen = trace.SpanContextFromContext(ctx)
		return nil
	}}
	var setup *grpcx.Setup
	srv := grpcxtest.New(t, withService(svc), grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
		setup = s
		assert.NoError(t, s.SetTracerProvider(tp))
		assert.NoError(t, s.SetMeterProvider(mp))
		assert.NoError(t, s.SetPropagator(propagation.TraceContext{}))
		return nil
	}))
	const scope = "github.com/grpcx-go/sdk/grpcx"
	assert.Equal(t, <-tp.asked, scope)
	assert.Equal(t, <-mp.asked, scope)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	_, err := testgrpc.NewTestServiceClient(srv.Conn).UnaryCall(ctx, &testgrpc.SimpleRequest{})
	assert.NoError(t, err)
	assert.Equal(t, seen.TraceID().String(), "0af7651916cd43dd8448eb211c80319c")

	for _, err := range []error{
		setup.SetTracerProvider(tp), setup.SetMeterProvider(mp),
		setup.SetPropagator(propagation.Baggage{}), setup.SetLogger(slog.Default()),
	} {
		assert.ErrorContains(t, err, "serves already", "WithSetup")
	}
}

// What is there already is not replaced in silence.
func TestSetupProvidersTaken(t *testing.T) {
	tp, mp, prop := tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider(), propagation.TraceContext{}
	set := grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
		assert.NoError(t, s.SetTracerProvider(tp))
		assert.NoError(t, s.SetMeterProvider(mp))
		return s.SetPropagator(prop)
	})
	for _, taken := range []grpcx.Option{
		set,
		grpcx.Options(grpcx.WithTracerProvider(tp), grpcx.WithMeterProvider(mp), grpcx.WithPropagator(prop)),
	} {
		var errs [3]error
		srv, err := grpcx.New(grpcx.WithInsecure(), taken, grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
			errs = [3]error{s.SetTracerProvider(tp), s.SetMeterProvider(mp), s.SetPropagator(prop)}
			return errs[1]
		}))
		assert.NoError(t, err)
		assert.ErrorContains(t, srv.Serve(t.Context(), bufconn.Listen(1)), "WithSetup", "SetMeterProvider")
		for i, name := range []string{"TracerProvider", "MeterProvider", "Propagator"} {
			assert.ErrorContains(t, errs[i], "Setup.Set"+name, "With"+name, "earlier hook", "keep one")
		}
	}
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
		assert.ErrorContains(t, s.SetTracerProvider((*tracers)(nil)), "SetTracerProvider", "nil")
		assert.ErrorContains(t, s.SetLogger(nil), "SetLogger", "nil")
		return context.Canceled
	}))
	assert.NoError(t, err)
	assert.ErrorIs(t, srv.Serve(t.Context(), bufconn.Listen(1)), context.Canceled)
}

// The logger of a hook gets what the server says, and what the parts say that
// were built before it: the TLS files and the health checks.
func TestSetupLogger(t *testing.T) {
	dir := t.TempDir()
	ca, err := devcert.Dir(dir)
	assert.NoError(t, err)
	files := ca.ServerFiles()
	var option, hook logBuffer
	var wrapped *slog.Logger
	srv, err := grpcx.New(option.option(), grpcx.WithTLSFiles(files), grpcx.WithDrain(grpcx.Drain{Delay: -1}),
		grpcx.WithCheck("database", func(context.Context) error { return os.ErrClosed }, healthx.Informational()),
		grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
			wrapped = s.Logger()
			return s.SetLogger(slog.New(slog.NewTextHandler(&hook, nil)).With("from", "hook"))
		}))
	assert.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() { assert.NoError(t, srv.Serve(t.Context(), bufconn.Listen(1))) })
	<-srv.Ready()
	wrapped.Info("wrapped")
	assert.Equal(t, len(option.lines("wrapped")), 1)
	waitFor(t, "the settings in the log of the hook", func() bool { return len(hook.lines("grpcx: serving")) == 1 })
	assert.NoError(t, os.WriteFile(files.Cert, []byte("damaged"), 0o600))
	waitFor(t, "the reload in the log of the hook", func() bool { return len(hook.lines("not adopted")) > 0 })
	waitFor(t, "the check in the log of the hook", func() bool { return len(hook.lines("database")) > 0 })
	assert.Equal(t, len(option.lines("grpcx: serving")), 0)
	text := hook.String()
	assert.Equal(t, strings.Count(text, "from=hook"), strings.Count(text, "level="))
	assert.Equal(t, len(option.lines("database")), 0)
	assert.NoError(t, srv.Shutdown(t.Context()))
	serving.Wait()
}
