package parity_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
)

const (
	traceID   = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID    = "00f067aa0ba902b7"
	sampled   = "00-" + traceID + "-" + spanID + "-01"
	unsampled = "00-" + traceID + "-" + spanID + "-00"
)

// What callers send along, well formed or not.
func TestPropagation(t *testing.T) {
	for _, test := range []struct {
		name     string
		metadata []string
		saw      string // by a handler of otelgrpc, so that the test is known to test something
		differs  []difference
	}{
		{"nothing", nil, "00000000000000000000000000000001/0000000000000002/01 recording true", nil},
		{"sampled", []string{"traceparent", sampled}, traceID + "/0000000000000001/01 recording true", nil},
		{"unsampled", []string{"traceparent", unsampled}, traceID + "/0000000000000001/00 recording false", nil},
		{"random flag", []string{"traceparent", "00-" + traceID + "-" + spanID + "-03"}, "/03 ", nil},
		{"reserved flag", []string{"traceparent", "00-" + traceID + "-" + spanID + "-04"}, "00000000000000000000000000000001/", nil},
		{"upper case", []string{"traceparent", strings.ToUpper(sampled)}, "00000000000000000000000000000001/", nil},
		{"later version", []string{"traceparent", "01-" + traceID + "-" + spanID + "-01-more"}, traceID, nil},
		{"version ff", []string{"traceparent", "ff-" + traceID + "-" + spanID + "-01"}, "00000000000000000000000000000001/", nil},
		{"no ids", []string{"traceparent", "00-00000000000000000000000000000000-0000000000000000-01"}, "00000000000000000000000000000001/", nil},
		{"empty", []string{"traceparent", ""}, "00000000000000000000000000000001/", nil},
		{"two parents", []string{"traceparent", sampled, "traceparent", "00-11111111111111111111111111111111-2222222222222222-01"}, traceID, nil},
		{"a bad and a good parent", []string{"traceparent", "bad", "traceparent", sampled}, "00000000000000000000000000000001/", nil},
		{"state", []string{"traceparent", sampled, "tracestate", "vendor=1,other=2"}, "state vendor=1,other=2", nil},
		{"two states", []string{"traceparent", sampled, "tracestate", "vendor=1", "tracestate", "other=2"}, "state vendor=1 recording", nil},
		{"bad state", []string{"traceparent", sampled, "tracestate", "no state"}, traceID + "/0000000000000001/01 recording", nil},
		{"state alone", []string{"tracestate", "vendor=1"}, "00000000000000000000000000000001/", nil},
		{"baggage", []string{"baggage", "user=alice;prop=1,tier=gold%20plus"}, `tier=gold%20plus`, nil},
		{"baggage of an unsampled trace", []string{"traceparent", unsampled, "baggage", "a=1"}, `baggage "a=1"`, nil},
		{"bad baggage", []string{"baggage", "a b c"}, `baggage ""`, nil},
		{"huge baggage", []string{"baggage", "a=" + strings.Repeat("x", 9000)}, `baggage ""`, nil},
		{"two baggage headers", []string{"baggage", "a=1", "baggage", "b=2"}, `baggage "a=1"`, []difference{allBaggage}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bare, ours := observe(t, &setup{}, everyKind(step{metadata: test.metadata}))
			assert.Contains(t, bare.seen[0], test.saw)
			compare(t, bare, ours, test.differs...)
		})
	}
}

// Propagators other than the W3C's, and none.
func TestPropagators(t *testing.T) {
	steps := everyKind(step{metadata: []string{"traceparent", sampled, "tracestate", "vendor=1", "baggage", "a=1", "x-trace", "here"}})
	for name, p := range map[string]propagation.TextMapPropagator{
		"none": propagation.NewCompositeTextMapPropagator(), "trace alone": propagation.TraceContext{}, "baggage alone": propagation.Baggage{},
		"one that reads every key": keys{},
	} {
		t.Run(name, func(t *testing.T) {
			bare, ours := observe(t, &setup{propagator: p}, steps)
			compare(t, bare, ours)
		})
	}
}

// keys takes a trace id from the number of values it finds under x- keys.
type keys struct{}

func (keys) Inject(context.Context, propagation.TextMapCarrier) {}
func (keys) Fields() []string                                   { return []string{"x-trace"} }

func (keys) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	var id trace.TraceID
	for _, key := range carrier.Keys() {
		if strings.HasPrefix(key, "x-") && carrier.Get(strings.ToUpper(key)) == "here" {
			id[0]++
		}
	}
	return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: id, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled}))
}

func TestSamplers(t *testing.T) {
	var steps []step
	for _, parent := range []string{"", sampled, unsampled} {
		steps = append(steps, everyKind(step{metadata: []string{"traceparent", parent}})...)
	}
	for name, sampler := range map[string]sdktrace.Sampler{
		"always": sdktrace.AlwaysSample(), "never": sdktrace.NeverSample(),
		"root never":                       sdktrace.ParentBased(sdktrace.NeverSample()),
		"what the start attributes say":    byAttributes{},
		"record, and do not sample":        recordOnly{},
		"remote parents are not followed":  sdktrace.ParentBased(sdktrace.AlwaysSample(), sdktrace.WithRemoteParentSampled(sdktrace.NeverSample())),
		"remote parents are not heard out": sdktrace.ParentBased(sdktrace.AlwaysSample(), sdktrace.WithRemoteParentNotSampled(sdktrace.AlwaysSample())),
	} {
		t.Run(name, func(t *testing.T) {
			bare, ours := observe(t, &setup{sampler: sampler}, steps)
			compare(t, bare, ours)
		})
	}
}

// byAttributes samples by what is known at the start of a span, and shows that.
type byAttributes struct{}

func (byAttributes) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	result := sdktrace.SamplingResult{Attributes: []attribute.KeyValue{
		attribute.String("sampler.saw", p.Name+" "+p.Kind.String()+" "+attrsOf(p.Attributes).String()),
		attribute.String("sampler.parent", contextText(trace.SpanContextFromContext(p.ParentContext))),
	}}
	for _, kv := range p.Attributes {
		if kv.Key == "rpc.method" && !strings.HasSuffix(kv.Value.AsString(), "/UnaryCall") {
			result.Decision = sdktrace.RecordAndSample
		}
	}
	return result
}

func (byAttributes) Description() string { return "by attributes" }

type recordOnly struct{}

func (recordOnly) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return sdktrace.SamplingResult{Decision: sdktrace.RecordOnly}
}

func (recordOnly) Description() string { return "record only" }

// A public endpoint starts its own traces.
func TestPublicEndpoint(t *testing.T) {
	var steps []step
	for _, parent := range []string{"", sampled, unsampled, "bad"} {
		steps = append(steps, everyKind(step{metadata: []string{"traceparent", parent, "tracestate", "vendor=1", "baggage", "a=1"}})...)
	}
	bare, ours := observe(t, &setup{
		otel: []otelgrpc.Option{otelgrpc.WithPublicEndpoint()},
		ours: []grpcx.Option{grpcx.WithTelemetry(grpcx.Telemetry{PublicEndpoint: true})},
	}, steps)
	assert.Equal(t, len(bare.spans[4].links), 1, "links of otelgrpc's span under a sampled parent:")
	compare(t, bare, ours)
}

// Something on this machine, such as a tap, has put a span into the context
// already.
func TestLocalParent(t *testing.T) {
	local := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{7}, SpanID: trace.SpanID{8}, TraceFlags: trace.FlagsSampled})
	server := []grpc.ServerOption{grpc.InTapHandle(func(ctx context.Context, _ *tap.Info) (context.Context, error) {
		return trace.ContextWithSpanContext(ctx, local), nil
	})}
	steps := []step{{}, {metadata: []string{"traceparent", sampled}}}
	t.Run("parent", func(t *testing.T) {
		bare, ours := observe(t, &setup{server: server}, steps)
		compare(t, bare, ours, difference{
			"local parent", "otelgrpc calls every parent remote, so that a sampler takes a local one for the caller's",
			func(r *recording) { r.spans[0].parent = strings.TrimSuffix(r.spans[0].parent, " remote") },
		})
	})
	t.Run("public endpoint", func(t *testing.T) {
		bare, ours := observe(t, &setup{
			server: server,
			otel:   []otelgrpc.Option{otelgrpc.WithPublicEndpoint()},
			ours:   []grpcx.Option{grpcx.WithTelemetry(grpcx.Telemetry{PublicEndpoint: true})},
		}, steps)
		compare(t, bare, ours)
	})
}

// What handlers and interceptors do with the span of the call.
func TestSpanInUse(t *testing.T) {
	span := func(do func(trace.Span)) func(context.Context, *side) error {
		return func(ctx context.Context, _ *side) error {
			do(trace.SpanFromContext(ctx))
			return nil
		}
	}
	for name, handle := range map[string]func(context.Context, *side) error{
		"child": func(ctx context.Context, s *side) error {
			_, child := s.tracer.Tracer("of the handler").Start(ctx, "work")
			child.End()
			return nil
		},
		"attributes, event and name": span(func(s trace.Span) {
			s.SetAttributes(attribute.Int("n", 1), attribute.String("rpc.method", "mine"))
			s.AddEvent("happened", trace.WithAttributes(attribute.Bool("b", true)))
			s.SetName("renamed")
		}),
		"status error": span(func(s trace.Span) { s.SetStatus(otelcodes.Error, "by the handler") }),
		"status OK, and a failure": func(ctx context.Context, _ *side) error {
			trace.SpanFromContext(ctx).SetStatus(otelcodes.Ok, "")
			return status.Error(codes.Internal, "failed")
		},
		"status error, and another": func(ctx context.Context, _ *side) error {
			trace.SpanFromContext(ctx).SetStatus(otelcodes.Error, "by the handler")
			return status.Error(codes.Internal, "by the call")
		},
		"status error, and a client's mistake": func(ctx context.Context, _ *side) error {
			trace.SpanFromContext(ctx).SetStatus(otelcodes.Error, "by the handler")
			return status.Error(codes.NotFound, "none")
		},
		"link":  span(func(s trace.Span) { s.AddLink(trace.Link{SpanContext: s.SpanContext()}) }),
		"ended": span(func(s trace.Span) { s.End() }),
	} {
		t.Run(name, func(t *testing.T) {
			bare, ours := observe(t, &setup{}, everyKind(step{handle: handle, metadata: []string{"traceparent", sampled}}))
			compare(t, bare, ours)
		})
	}
}

// Interceptors of the program run inside the span, also when they refuse.
func TestInterceptors(t *testing.T) {
	deny := func(s *side, ctx context.Context) error {
		s.note(ctx)
		return status.Error(codes.Unauthenticated, "who are you")
	}
	through := func(s *side, ctx context.Context) (context.Context, trace.Span) {
		s.note(ctx)
		return s.tracer.Tracer("of the interceptor").Start(ctx, "check") //nolint:spancheck // the caller ends it
	}
	for _, test := range []struct {
		name   string
		unary  func(*side) grpc.UnaryServerInterceptor
		stream func(*side) grpc.StreamServerInterceptor
	}{
		{
			"deny",
			func(s *side) grpc.UnaryServerInterceptor {
				return func(ctx context.Context, _ any, _ *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
					return nil, deny(s, ctx)
				}
			},
			func(s *side) grpc.StreamServerInterceptor {
				return func(_ any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, _ grpc.StreamHandler) error {
					return deny(s, ss.Context())
				}
			},
		},
		{
			"a span around the handler",
			func(s *side) grpc.UnaryServerInterceptor {
				return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
					ctx, span := through(s, ctx)
					defer span.End()
					return handler(ctx, req)
				}
			},
			func(s *side) grpc.StreamServerInterceptor {
				return func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
					ctx, span := through(s, ss.Context())
					defer span.End()
					return handler(srv, streamIn{ss, ctx})
				}
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			bare, ours := observe(t, &setup{unary: test.unary, stream: test.stream}, everyKind(step{metadata: []string{"traceparent", sampled}}))
			compare(t, bare, ours)
		})
	}
}

// streamIn is a stream in another context.
type streamIn struct {
	grpc.ServerStream
	ctx context.Context
}

func (s streamIn) Context() context.Context { return s.ctx }

// Without a provider of spans or of metrics, the rest goes on: the caller's
// trace still reaches the handler.
func TestOneSignal(t *testing.T) {
	var steps []step
	for _, parent := range []string{"", sampled, unsampled} {
		steps = append(steps, everyKind(step{metadata: []string{"traceparent", parent, "baggage", "a=1"}})...)
	}
	t.Run("metrics", func(t *testing.T) {
		bare, ours := observe(t, &setup{noTracer: true}, steps)
		assert.Equal(t, len(bare.metrics), 3*len(kinds))
		compare(t, bare, ours)
	})
	t.Run("spans", func(t *testing.T) {
		bare, ours := observe(t, &setup{noMeter: true}, steps)
		assert.Equal(t, len(bare.spans), 2*len(kinds))
		compare(t, bare, ours)
	})
	t.Run("metrics, tracing left out", func(t *testing.T) {
		bare, ours := observe(t, &setup{noTracer: true, ours: []grpcx.Option{grpcx.Without(grpcx.Tracing)}}, steps)
		compare(t, bare, ours)
	})
	t.Run("spans, metrics left out", func(t *testing.T) {
		bare, ours := observe(t, &setup{noMeter: true, ours: []grpcx.Option{grpcx.Without(grpcx.Metrics)}}, steps)
		compare(t, bare, ours)
	})
	t.Run("neither", func(t *testing.T) {
		bare, ours := observe(t, &setup{noTracer: true, noMeter: true}, steps)
		compare(t, bare, ours)
	})
}

// Without options the globals of OpenTelemetry are used, as they are when
// serving starts. Setting them is for good, so a child process does it.
func TestGlobalProviders(t *testing.T) {
	const child = "GRPCX_PARITY_CHILD"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	bare, ours := observe(t, &setup{global: true}, everyKind(step{metadata: []string{"traceparent", sampled, "baggage", "a=1"}}))
	assert.Equal(t, len(bare.spans), len(kinds), "spans of otelgrpc:")
	assert.Equal(t, len(bare.metrics), len(kinds), "series of otelgrpc:")
	compare(t, bare, ours)
}

// A policy leaves out the span of a method, as a filter of otelgrpc cannot: its
// filter takes the metric too.
func TestSpansOff(t *testing.T) {
	steps := []step{{kind: unary, metadata: []string{"traceparent", sampled, "baggage", "a=1"}}}
	bare, ours := observe(t, &setup{
		otel: []otelgrpc.Option{otelgrpc.WithFilter(func(*stats.RPCTagInfo) bool { return false })},
		ours: []grpcx.Option{grpcx.WithMethods(everyMethod, grpcx.Policy{Spans: grpcx.SpansOff})},
	}, steps)
	assert.Equal(t, len(ours.metrics), 1, "series:")
	compare(t, bare, ours, difference{
		"filter", "spans cost, metrics hardly, so that they can be left out by themselves",
		func(r *recording) { r.metrics = ours.metrics },
	})
}
