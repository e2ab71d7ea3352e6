package otlpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"

	goruntime "go.opentelemetry.io/contrib/instrumentation/runtime"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/grpcx-go/sdk/grpcx"
)

// pipeline is all that exports for one server.
type pipeline struct {
	cfg    *config
	log    *slog.Logger // does not lead into the pipeline
	life   context.Context
	cut    context.CancelFunc // ends the exports
	pipes  []*pipe
	http   []*http.Client
	tracer *sdktrace.TracerProvider // nil: not exported; likewise the next two
	meter  *sdkmetric.MeterProvider
	logger *sdklog.LoggerProvider
	undo   []func()
}

// install builds the pipeline into a server that is being set up.
func install(ctx context.Context, setup *grpcx.Setup, c *config) error {
	if err := setup.SetPropagator(c.propagator); err != nil {
		return fmt.Errorf("%w; OTEL_PROPAGATORS does what WithPropagator does", err)
	}
	if c.disabled {
		return silence(setup, c.readers)
	}
	handler := exporting(setup.Logger())
	p := &pipeline{cfg: c, log: slog.New(handler.plain())}
	p.life, p.cut = context.WithCancel(context.Background())
	setup.OnStop("otlpx", p.stop)

	res, err := newResource(ctx, os.Getenv)
	if err != nil {
		p.log.Warn("otlpx: the resource lacks something", slog.Any("error", err))
	}
	if err := errors.Join(p.traces(ctx, setup, res), p.metrics(ctx, setup, res), p.logs(ctx, setup, res, handler)); err != nil {
		return err
	}
	if p.meter != nil {
		if err := observe(p.meter, p.pipes); err != nil {
			return fmt.Errorf("otlpx: metrics: %w", err)
		}
	}
	if p.cfg.global {
		p.globals()
	}
	return nil
}

// silence lets the readers of others read nothing, where the SDK is disabled.
func silence(setup *grpcx.Setup, readers []sdkmetric.Reader) error {
	if len(readers) == 0 {
		return nil
	}
	var opts []sdkmetric.Option
	for _, reader := range readers {
		opts = append(opts, sdkmetric.WithReader(reader))
	}
	setup.OnStop("otlpx", sdkmetric.NewMeterProvider(opts...).Shutdown)
	return nil
}

func (p *pipeline) pipe(k kind, t *target) *pipe {
	out := &pipe{
		kind: k, endpoint: t.endpoint.text, timeout: t.timeout, life: p.life, log: p.log, limit: int64(p.cfg.queue[k]),
	}
	p.pipes = append(p.pipes, out)
	return out
}

// client is the HTTP client of one target; nil for gRPC.
func (p *pipeline) client(t *target) (*http.Client, error) {
	if t.protocol == protocolGRPC {
		return nil, nil //nolint:nilnil // there is none
	}
	c, err := newHTTPClient(t, p.cfg.dial)
	if err != nil {
		return nil, err
	}
	p.http = append(p.http, c)
	return c, nil
}

func (p *pipeline) traces(ctx context.Context, setup *grpcx.Setup, res *resource.Resource) error {
	t := p.cfg.targets[traces]
	if t == nil {
		return nil
	}
	client, err := p.client(t)
	if err != nil {
		return fmt.Errorf("otlpx: traces: %w", err)
	}
	exporter, err := newSpanExporter(ctx, t, client, p.cfg.dial)
	if err != nil {
		return fmt.Errorf("otlpx: traces: %w", err)
	}
	out := p.pipe(traces, t)
	batches := sdktrace.NewBatchSpanProcessor(&spanExit{exporter, out}, sdktrace.WithMaxQueueSize(p.cfg.queue[traces]))
	p.tracer = sdktrace.NewTracerProvider(append(p.cfg.spanLimits,
		sdktrace.WithResource(res), sdktrace.WithSpanProcessor(&spanEntry{batches, out}))...)
	if err := setup.SetTracerProvider(p.tracer); err != nil {
		return fmt.Errorf("%w; or set OTEL_TRACES_EXPORTER=none to keep that one", err)
	}
	return nil
}

func (p *pipeline) metrics(ctx context.Context, setup *grpcx.Setup, res *resource.Resource) error {
	opts := []sdkmetric.Option{sdkmetric.WithResource(res)}
	for _, reader := range p.cfg.readers {
		opts = append(opts, sdkmetric.WithReader(reader))
	}
	if t := p.cfg.targets[metrics]; t != nil {
		client, err := p.client(t)
		if err != nil {
			return fmt.Errorf("otlpx: metrics: %w", err)
		}
		exporter, err := newMetricExporter(ctx, t, client, p.cfg.dial)
		if err != nil {
			return fmt.Errorf("otlpx: metrics: %w", err)
		}
		opts = append(opts, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(&metricExit{exporter, p.pipe(metrics, t)},
			sdkmetric.WithProducer(goruntime.NewProducer()))))
	} else if len(p.cfg.readers) == 0 {
		return nil
	}
	p.meter = sdkmetric.NewMeterProvider(opts...)
	if err := setup.SetMeterProvider(p.meter); err != nil {
		return fmt.Errorf("%w; or set OTEL_METRICS_EXPORTER=none to keep that one; for promx beside otlpx use promx.NewReader and otlpx.WithMetricReader", err)
	}
	return goruntime.Start(goruntime.WithMeterProvider(p.meter))
}

func (p *pipeline) logs(ctx context.Context, setup *grpcx.Setup, res *resource.Resource, handler *Handler) error {
	t := p.cfg.targets[logs]
	if t == nil {
		return nil
	}
	client, err := p.client(t)
	if err != nil {
		return fmt.Errorf("otlpx: logs: %w", err)
	}
	exporter, err := newLogExporter(ctx, t, client, p.cfg.dial)
	if err != nil {
		return fmt.Errorf("otlpx: logs: %w", err)
	}
	out := p.pipe(logs, t)
	batches := sdklog.NewBatchProcessor(&logExit{exporter, out}, sdklog.WithMaxQueueSize(p.cfg.queue[logs]))
	p.logger = sdklog.NewLoggerProvider(append(p.cfg.logLimits,
		sdklog.WithResource(res), sdklog.WithProcessor(&logEntry{batches, out}))...)
	p.undo = append(p.undo, handler.attach(p.logger))
	return setup.SetLogger(slog.New(handler))
}

// stop exports what waits, for as long as ctx lasts, and ends all that the
// pipeline started. It is no error of the server when the collector does not take
// it: that is said in the log.
func (p *pipeline) stop(ctx context.Context) error {
	for _, undo := range p.undo {
		undo()
	}
	for _, out := range p.pipes {
		out.stopping.Store(true)
	}
	defer p.cut()
	// The processors end when their exports do, which end with ctx: so wait for
	// them without a bound, and leave nothing running.
	defer context.AfterFunc(ctx, p.cut)()
	var ends sync.WaitGroup
	if p.tracer != nil {
		ends.Go(func() { _ = p.tracer.Shutdown(context.WithoutCancel(ctx)) })
	}
	if p.logger != nil {
		ends.Go(func() { _ = p.logger.Shutdown(context.WithoutCancel(ctx)) })
	}
	if p.meter != nil {
		ends.Go(func() { _ = p.meter.Shutdown(ctx) }) // its own bound for a collection
	}
	ends.Wait()
	for _, client := range p.http {
		client.CloseIdleConnections()
	}
	for _, out := range p.pipes {
		out.finish()
	}
	return nil
}
