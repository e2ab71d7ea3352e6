package parity_test

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/selector"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
)

var everyMethod = selector.MatchFunc(func(context.Context, interceptors.CallMeta) bool { return true })

// The old conventions, both, and what is neither.
func TestStabilityOptIn(t *testing.T) {
	const current, old = "rpc.server.call.duration", "rpc.server.duration"
	for _, test := range []struct {
		env     string
		metrics []string // of otelgrpc
	}{
		{"", []string{current}},
		{"rpc/dup", []string{current, old}},
		{"rpc/old", []string{old}},
		{"rpc", []string{current}},
		{"http/dup", []string{current}},
		{"http/dup, rpc/dup ", []string{current, old}},
		{"rpc/old,rpc/dup", []string{old}},
		{"rpc/dup,rpc/old", []string{current, old}},
		{"RPC/OLD", []string{current}},
		{",", []string{current}},
	} {
		t.Run("opt in "+test.env, func(t *testing.T) {
			t.Setenv("OTEL_SEMCONV_STABILITY_OPT_IN", test.env)
			steps := everyKind(step{})
			for _, code := range []codes.Code{codes.NotFound, codes.Internal, codes.Unavailable, 99} {
				for _, k := range kinds {
					steps = append(steps, failing(k, status.Error(code, "said so")))
				}
			}
			bare, ours := observe(t, &setup{}, steps)
			var names []string
			for _, s := range bare.metrics {
				names = append(names, s.name)
			}
			slices.Sort(names)
			assert.Equal(t, slices.Compact(names), test.metrics, "metrics of otelgrpc:")
			compare(t, bare, ours)
		})
	}
}

// Methods that nobody registered. Of grpc-go's own answer otelgrpc records
// nothing but a span without end; so what is compared is its record of the same
// answer from a handler of the program.
func TestUnknownMethods(t *testing.T) {
	names := []string{"/grpc.testing.TestService/Nope", "/nope.Service/UnaryCall", "/a/b/C", "//", "/x/", "//y"}
	var steps []step
	for _, name := range names {
		steps = append(steps, step{call: rawCall(name, nil)})
	}
	t.Run("refused by grpc-go", func(t *testing.T) {
		bare, ours := observe(t, &setup{}, steps)
		assert.Equal(t, len(bare.metrics), 0, "series of otelgrpc:")
		assert.Equal(t, len(ours.metrics), len(steps), "series of grpcx, one of each call:")
		for _, s := range ours.metrics {
			assert.Equal(t, s.attrs, ours.metrics[0].attrs, "made-up names make no series:")
		}
		for i, s := range bare.spans {
			assert.True(t, s.open, "otelgrpc ends the spans of unknown methods")
			assert.Equal(t, ours.spans[i].open, false)
		}
		assert.Equal(t, ours.results, bare.results)
	})
	for _, test := range []struct {
		name string
		ours []grpcx.Option
		text string
	}{
		{"refused", nil, ""},
		{"handled", []grpcx.Option{grpcx.WithUnknownHandler(unavailable)}, "away"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bare, ours := observe(t, &setup{
				ours: test.ours,
				bare: func(*side) []grpc.ServerOption {
					if test.ours != nil {
						return []grpc.ServerOption{grpc.UnknownServiceHandler(unavailable)}
					}
					return []grpc.ServerOption{grpc.UnknownServiceHandler(unimplemented)}
				},
			}, steps)
			for i := range ours.spans {
				if test.ours == nil { // grpc-go's texts name the method
					ours.spans[i].description = "unknown"
				}
			}
			compare(t, bare, ours, unknownName)
		})
	}
}

// The old conventions split names; made-up ones stay out of them too.
func TestUnknownMethodsOld(t *testing.T) {
	for env, want := range map[string]string{
		"rpc/old": "rpc.response.status_code=STRING(UNIMPLEMENTED) rpc.system=STRING(grpc)",
		"rpc/dup": "rpc.method=STRING(_OTHER) rpc.response.status_code=STRING(UNIMPLEMENTED) rpc.system=STRING(grpc) rpc.system.name=STRING(grpc)",
	} {
		t.Setenv("OTEL_SEMCONV_STABILITY_OPT_IN", env)
		_, ours := observe(t, &setup{}, []step{{call: rawCall("/nope.Service/Nope", nil)}})
		for _, s := range ours.metrics {
			delete(s.attrs, "error.type")
			assert.Equal(t, s.attrs.String(), want, env, s.name)
		}
	}
}

func unavailable(any, grpc.ServerStream) error   { return status.Error(codes.Unavailable, "away") }
func unimplemented(any, grpc.ServerStream) error { return status.Error(codes.Unimplemented, "unknown") }

// Probes.
func TestHealth(t *testing.T) {
	check := func(service string) step {
		return step{call: func(ctx context.Context, s *side) error {
			_, err := healthpb.NewHealthClient(s.conn).Check(ctx, &healthpb.HealthCheckRequest{Service: service})
			return err
		}}
	}
	watch := step{timeout: time.Second, call: func(ctx context.Context, s *side) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := healthpb.NewHealthClient(s.conn).Watch(ctx, &healthpb.HealthCheckRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		if err == nil {
			time.Sleep(200 * time.Millisecond)
			cancel()
			_, err = stream.Recv()
		}
		return err
	}}
	c := &setup{register: func(s *side, r grpc.ServiceRegistrar) {
		if s.name == "otelgrpc" {
			healthpb.RegisterHealthServer(r, health.NewServer())
		}
	}}
	steps := []step{check(""), check("nobody"), watch}
	t.Run("default", func(t *testing.T) {
		bare, ours := observe(t, c, steps)
		compare(t, bare, ours, noHealthSpans)
	})
	t.Run("spans on", func(t *testing.T) {
		c.ours = []grpcx.Option{grpcx.WithMethods(everyMethod, grpcx.Policy{Spans: grpcx.SpansOn})}
		bare, ours := observe(t, c, steps)
		assert.Equal(t, len(bare.spans), 3, "spans of otelgrpc:")
		compare(t, bare, ours)
	})
}

// Where the server listens, as its spans say it.
func TestServerAddress(t *testing.T) {
	for name, listen := range map[string]func(testing.TB) (net.Listener, string){
		"IPv4": func(t testing.TB) (net.Listener, string) { return tcp(t, "127.0.0.1:0") },
		"IPv6": func(t testing.TB) (net.Listener, string) { return tcp(t, "[::1]:0") },
		"unix": func(t testing.TB) (net.Listener, string) {
			t.Chdir(t.TempDir()) // so that both sides have the same name
			lis, err := net.Listen("unix", "socket")
			assert.NoError(t, err)
			abs, err := filepath.Abs("socket")
			assert.NoError(t, err)
			return lis, "unix://" + abs
		},
		"abstract": func(t testing.TB) (net.Listener, string) {
			lis, err := net.Listen("unix", "@grpcx-parity")
			if err != nil {
				t.Skip(err)
			}
			return lis, "unix-abstract:grpcx-parity"
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := &setup{listen: listen}
			var recordings []*recording
			for _, start := range []func(testing.TB) (*side, func()){c.startBare, c.startOurs} {
				s, stop := start(t)
				s.run(t, everyKind(step{}), func() {})
				stop() // by then every call has been recorded
				r := &recording{}
				for i, span := range s.recording(t).spans {
					port := span.attrs["server.port"]
					if strings.HasPrefix(name, "IP") {
						assert.Equal(t, port, "INT64("+s.conn.Target()[strings.LastIndexByte(s.conn.Target(), ':')+1:]+")", s.name)
						span.attrs["server.port"] = "that of the listener"
					}
					r.spans = append(r.spans, span)
					r.spans[i].start, r.spans[i].end = 0, 0
				}
				recordings = append(recordings, r)
			}
			assert.Equal(t, len(recordings[0].spans), len(kinds), "spans of otelgrpc:")
			compare(t, recordings[0], recordings[1])
		})
	}
}

func tcp(t testing.TB, address string) (net.Listener, string) {
	lis, err := net.Listen("tcp", address)
	if err != nil {
		t.Skip(err)
	}
	return lis, lis.Addr().String()
}

// The scope of what is recorded is the package that records it.
func TestScope(t *testing.T) {
	c := &setup{}
	scopes := func(start func(testing.TB) (*side, func())) []instrumentation.Scope {
		s, stop := start(t)
		s.begin = time.Now()
		step{}.do(t, s)
		stop()
		var rm metricdata.ResourceMetrics
		assert.NoError(t, s.reader.Collect(t.Context(), &rm))
		found := []instrumentation.Scope{s.spans.Ended()[0].InstrumentationScope()}
		for _, scope := range rm.ScopeMetrics {
			found = append(found, scope.Scope)
		}
		return found
	}
	bare, ours := scopes(c.startBare), scopes(c.startOurs)
	assert.Equal(t, len(bare), 2, "scopes of otelgrpc:")
	const schema = "https://opentelemetry.io/schemas/1.43.0"
	assert.Equal(t, bare[1].SchemaURL, schema, "schema of otelgrpc's metrics:")
	for _, scope := range ours {
		assert.Equal(t, scope.Name, "github.com/grpcx-go/sdk/grpcx")
		assert.Equal(t, scope.SchemaURL, bare[1].SchemaURL)
	}
}
