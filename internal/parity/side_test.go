package parity_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
)

// side is a server, its client, and its SDK.
type side struct {
	name   string
	conn   *grpc.ClientConn
	dial   func(context.Context) (net.Conn, error) // in memory
	tracer trace.TracerProvider
	meter  metric.MeterProvider

	spans   *tracetest.SpanRecorder
	reader  *sdkmetric.ManualReader
	service *service
	begin   time.Time
	results []string
	series  []series
}

// setup is what the two sides have in common, and how each is told.
type setup struct {
	sampler    sdktrace.Sampler // default: the parent's decision, and always for a root
	propagator propagation.TextMapPropagator
	noTracer   bool
	noMeter    bool
	global     bool                                                // the providers and the propagator are OpenTelemetry's globals
	server     []grpc.ServerOption                                 // of both
	register   func(s *side, r grpc.ServiceRegistrar)              // services beside the test service
	bare       func(*side) []grpc.ServerOption                     // of the grpc.Server alone
	otel       []otelgrpc.Option                                   // of otelgrpc
	ours       []grpcx.Option                                      // of the server of grpcx
	unary      func(*side) grpc.UnaryServerInterceptor             // of both
	stream     func(*side) grpc.StreamServerInterceptor            // of both
	dial       []grpc.DialOption                                   // of both clients
	instrument bool                                                // ours is a grpc.Server with grpcx.Instrument
	listen     func(testing.TB) (lis net.Listener, address string) // default: in memory
}

var w3c = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

func (c *setup) newSide(name string) *side {
	s := &side{name: name, spans: tracetest.NewSpanRecorder()}
	s.service = &service{side: s}
	s.reader = sdkmetric.NewManualReader(sdkmetric.WithTemporalitySelector(sdkmetric.DeltaTemporalitySelector))
	sampler := c.sampler
	if sampler == nil {
		sampler = sdktrace.ParentBased(sdktrace.AlwaysSample())
	}
	if !c.noTracer {
		s.tracer = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(s.spans), sdktrace.WithSampler(sampler), sdktrace.WithIDGenerator(&counter{}))
	}
	if !c.noMeter {
		s.meter = sdkmetric.NewMeterProvider(sdkmetric.WithReader(s.reader))
	}
	if c.global {
		otel.SetTracerProvider(s.tracer)
		otel.SetMeterProvider(s.meter)
		otel.SetTextMapPropagator(c.propagation())
	}
	return s
}

func (c *setup) propagation() propagation.TextMapPropagator {
	if c.propagator != nil {
		return c.propagator
	}
	return w3c
}

// counter hands out ids in order, so that those of both sides are the same.
type counter struct{ n atomic.Uint64 }

func (c *counter) NewSpanID(context.Context, trace.TraceID) (id trace.SpanID) {
	binary.BigEndian.PutUint64(id[:], c.n.Add(1))
	return id
}

func (c *counter) NewIDs(ctx context.Context) (id trace.TraceID, _ trace.SpanID) {
	binary.BigEndian.PutUint64(id[8:], c.n.Add(1))
	return id, c.NewSpanID(ctx, id)
}

func (c *setup) listener(t testing.TB) (net.Listener, string) {
	if c.listen != nil {
		return c.listen(t)
	}
	return bufconn.Listen(1 << 20), ""
}

func (c *setup) connect(t testing.TB, s *side, lis net.Listener, address string) {
	t.Helper()
	opts := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if address == "" {
		address = "passthrough:///memory"
		s.dial = lis.(*bufconn.Listener).DialContext
		opts = append(opts, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.dial(ctx) }))
	}
	conn, err := grpc.NewClient(address, append(opts, c.dial...)...)
	assert.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	s.conn = conn
}

// startBare starts a grpc.Server with otelgrpc and with the recovery that
// everybody adds.
func (c *setup) startBare(t testing.TB) (s *side, stop func()) {
	t.Helper()
	s = c.newSide("otelgrpc")
	opts := slices.Clone(c.otel)
	if !c.global {
		opts = append(opts, otelgrpc.WithPropagators(c.propagation()))
	}
	if s.tracer != nil && !c.global {
		opts = append(opts, otelgrpc.WithTracerProvider(s.tracer))
	}
	if s.meter != nil && !c.global {
		opts = append(opts, otelgrpc.WithMeterProvider(s.meter))
	}
	server := []grpc.ServerOption{
		grpc.StatsHandler(otelgrpc.NewServerHandler(opts...)),
		grpc.ChainUnaryInterceptor(recoverUnary), grpc.ChainStreamInterceptor(recoverStream),
	}
	if c.bare != nil {
		server = append(server, c.bare(s)...)
	}
	return s, c.serve(t, s, server, nil)
}

// serve serves with a grpc.Server.
func (c *setup) serve(t testing.TB, s *side, opts []grpc.ServerOption, through func(grpc.ServiceRegistrar) grpc.ServiceRegistrar) (stop func()) {
	t.Helper()
	opts = append(opts, c.server...)
	if c.unary != nil {
		opts = append(opts, grpc.ChainUnaryInterceptor(c.unary(s)), grpc.ChainStreamInterceptor(c.stream(s)))
	}
	srv := grpc.NewServer(opts...)
	reg := grpc.ServiceRegistrar(srv)
	if through != nil {
		reg = through(srv)
	}
	c.registerAll(s, reg)
	lis, address := c.listener(t)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	c.connect(t, s, lis, address)
	stop = sync.OnceFunc(func() {
		_ = s.conn.Close()
		srv.GracefulStop()
		assert.NoError(t, <-served)
	})
	t.Cleanup(stop)
	return stop
}

func (c *setup) registerAll(s *side, r grpc.ServiceRegistrar) {
	testgrpc.RegisterTestServiceServer(r, s.service)
	if c.register != nil {
		c.register(s, r)
	}
}

// startOurs starts a server of grpcx, or one that it instruments.
func (c *setup) startOurs(t testing.TB) (s *side, stop func()) {
	t.Helper()
	s = c.newSide("grpcx")
	opts := slices.Clone(c.ours)
	if !c.global {
		opts = append(opts, grpcx.WithPropagator(c.propagation()))
	}
	if s.tracer != nil && !c.global {
		opts = append(opts, grpcx.WithTracerProvider(s.tracer))
	}
	if s.meter != nil && !c.global {
		opts = append(opts, grpcx.WithMeterProvider(s.meter))
	}
	if c.instrument {
		opts = append(opts, grpcx.WithLogger(slog.New(slog.DiscardHandler)))
		return s, c.serve(t, s, nil, func(srv grpc.ServiceRegistrar) grpc.ServiceRegistrar {
			reg, err := grpcx.Instrument(srv, opts...)
			assert.NoError(t, err)
			return reg
		})
	}
	if c.unary != nil {
		opts = append(opts, grpcx.WithUnaryInterceptor(c.unary(s)), grpcx.WithStreamInterceptor(c.stream(s)))
	}
	lis, address := c.listener(t)
	srv := grpcxtest.New(t, append(opts, grpcx.WithListener(lis), grpcx.WithServerOptions(c.server...),
		grpcxtest.Services(func(r grpc.ServiceRegistrar) { c.registerAll(s, r) }))...)
	c.connect(t, s, lis, address)
	return s, func() {
		_ = s.conn.Close()
		assert.NoError(t, srv.Stop())
	}
}

// collect keeps what was measured since the last time.
func (s *side) collect(t testing.TB) {
	t.Helper()
	if s.meter == nil {
		return
	}
	var rm metricdata.ResourceMetrics
	assert.NoError(t, s.reader.Collect(t.Context(), &rm))
	s.series = append(s.series, seriesOf(t, &rm)...)
}

// recording returns what was recorded and seen so far.
func (s *side) recording(t testing.TB) *recording {
	t.Helper()
	r := &recording{results: s.results, metrics: s.series}
	for _, started := range s.spans.Started() {
		r.spans = append(r.spans, spanOf(started, s.begin))
	}
	s.service.mu.Lock()
	defer s.service.mu.Unlock()
	r.seen = append(r.seen, s.service.seen...)
	return r
}

func recoverUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (_ any, err error) {
	defer asInternal(&err)
	return handler(ctx, req)
}

func recoverStream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer asInternal(&err)
	return handler(srv, ss)
}

func asInternal(err *error) {
	if r := recover(); r != nil {
		*err = status.Errorf(codes.Internal, "panic: %v", r)
	}
}

// note keeps what a handler finds in its context.
func (s *side) note(ctx context.Context) {
	recording := trace.SpanFromContext(ctx).IsRecording()
	line := fmt.Sprintf("%s recording %v baggage %q", contextText(trace.SpanContextFromContext(ctx)), recording, sorted(baggage.FromContext(ctx)))
	s.service.mu.Lock()
	defer s.service.mu.Unlock()
	s.service.seen = append(s.service.seen, line)
}

func sorted(b baggage.Baggage) string {
	var members []string
	for _, m := range b.Members() {
		members = append(members, m.String())
	}
	slices.Sort(members)
	return strings.Join(members, ",")
}

var errorID = regexp.MustCompile(`id [0-9a-f]{16}`)

// hideIDs replaces the ids that grpcx makes up for errors.
func hideIDs(s string) string { return errorID.ReplaceAllString(s, "id *") }
