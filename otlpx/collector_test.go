package otlpx_test

import (
	"context"
	"crypto/tls"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlplogs "go.opentelemetry.io/proto/otlp/logs/v1"
	otlpmetrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	otlptrace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
)

// behaviour is what a collector does with what it gets.
type behaviour int

const (
	takes behaviour = iota
	refuses
	hangs
	rejectsOne // of each batch
)

// collector is an OTLP receiver that remembers what it was given.
type collector struct {
	mu      sync.Mutex
	does    behaviour
	slow    time.Duration
	spans   []*otlptrace.Span
	metrics map[string]*otlpmetrics.Metric
	scopes  map[string]string // of the metrics
	logs    []*otlplogs.LogRecord
	about   map[string]string // the resource
	headers map[string]string
	batches int
	forgets bool
}

// take decides about one batch. It calls keep under the lock.
func (c *collector) take(ctx context.Context, keep func()) (rejected int64, err error) {
	c.mu.Lock()
	does, slow := c.does, c.slow
	c.batches++
	c.mu.Unlock()
	if slow > 0 {
		time.Sleep(slow) // in a bubble only
	}
	switch does {
	case refuses:
		return 0, status.Error(codes.PermissionDenied, "not today")
	case hangs:
		<-ctx.Done()
		return 0, ctx.Err()
	case rejectsOne:
		rejected = 1
	case takes:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.forgets {
		keep()
	}
	return rejected, nil
}

func (c *collector) describe(attrs []*common.KeyValue) {
	c.about = attributes(attrs)
}

// attributes are as text.
func attributes(attrs []*common.KeyValue) map[string]string {
	found := map[string]string{}
	for _, kv := range attrs {
		found[kv.GetKey()] = text(kv.GetValue())
	}
	return found
}

func text(v *common.AnyValue) string {
	if s, ok := v.GetValue().(*common.AnyValue_StringValue); ok {
		return s.StringValue
	}
	if m := v.GetKvlistValue(); m != nil {
		all := attributes(m.GetValues())
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(all)) {
			parts = append(parts, key+"="+all[key])
		}
		return "{" + strings.Join(parts, " ") + "}"
	}
	return strings.TrimPrefix(v.String(), "int_value:")
}

func (c *collector) takeTraces(ctx context.Context, req *coltrace.ExportTraceServiceRequest) (*coltrace.ExportTraceServiceResponse, error) {
	rejected, err := c.take(ctx, func() {
		for _, r := range req.GetResourceSpans() {
			c.describe(r.GetResource().GetAttributes())
			for _, s := range r.GetScopeSpans() {
				c.spans = append(c.spans, s.GetSpans()...)
			}
		}
	})
	resp := &coltrace.ExportTraceServiceResponse{}
	if rejected > 0 {
		resp.PartialSuccess = &coltrace.ExportTracePartialSuccess{RejectedSpans: rejected, ErrorMessage: "too old"}
	}
	return resp, err
}

func (c *collector) takeMetrics(ctx context.Context, req *colmetrics.ExportMetricsServiceRequest) (*colmetrics.ExportMetricsServiceResponse, error) {
	rejected, err := c.take(ctx, func() {
		if c.metrics == nil {
			c.metrics, c.scopes = map[string]*otlpmetrics.Metric{}, map[string]string{}
		}
		for _, r := range req.GetResourceMetrics() {
			c.describe(r.GetResource().GetAttributes())
			for _, s := range r.GetScopeMetrics() {
				for _, m := range s.GetMetrics() {
					c.metrics[m.GetName()], c.scopes[m.GetName()] = m, s.GetScope().GetName()
				}
			}
		}
	})
	resp := &colmetrics.ExportMetricsServiceResponse{}
	if rejected > 0 {
		resp.PartialSuccess = &colmetrics.ExportMetricsPartialSuccess{RejectedDataPoints: rejected, ErrorMessage: "too old"}
	}
	return resp, err
}

func (c *collector) takeLogs(ctx context.Context, req *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	rejected, err := c.take(ctx, func() {
		for _, r := range req.GetResourceLogs() {
			c.describe(r.GetResource().GetAttributes())
			for _, s := range r.GetScopeLogs() {
				c.logs = append(c.logs, s.GetLogRecords()...)
			}
		}
	})
	resp := &collogs.ExportLogsServiceResponse{}
	if rejected > 0 {
		resp.PartialSuccess = &collogs.ExportLogsPartialSuccess{RejectedLogRecords: rejected, ErrorMessage: "too old"}
	}
	return resp, err
}

type (
	traceService struct {
		coltrace.UnimplementedTraceServiceServer
		c *collector
	}
	metricService struct {
		colmetrics.UnimplementedMetricsServiceServer
		c *collector
	}
	logService struct {
		collogs.UnimplementedLogsServiceServer
		c *collector
	}
)

func (s traceService) Export(ctx context.Context, r *coltrace.ExportTraceServiceRequest) (*coltrace.ExportTraceServiceResponse, error) {
	s.c.seeHeaders(ctx)
	return s.c.takeTraces(ctx, r)
}

func (s metricService) Export(ctx context.Context, r *colmetrics.ExportMetricsServiceRequest) (*colmetrics.ExportMetricsServiceResponse, error) {
	return s.c.takeMetrics(ctx, r)
}

func (s logService) Export(ctx context.Context, r *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	return s.c.takeLogs(ctx, r)
}

func (c *collector) seeHeaders(ctx context.Context) {
	md, _ := metadata.FromIncomingContext(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers = map[string]string{}
	for key, values := range md {
		c.headers[key] = values[0]
	}
}

// grpcServer serves OTLP over gRPC, with TLS when cfg is not nil.
func (c *collector) grpcServer(cfg *tls.Config) *grpc.Server {
	creds := insecure.NewCredentials()
	if cfg != nil {
		creds = credentials.NewTLS(cfg)
	}
	srv := grpc.NewServer(grpc.Creds(creds))
	coltrace.RegisterTraceServiceServer(srv, traceService{c: c})
	colmetrics.RegisterMetricsServiceServer(srv, metricService{c: c})
	collogs.RegisterLogsServiceServer(srv, logService{c: c})
	return srv
}

// ServeHTTP is OTLP over HTTP with protobuf.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c.mu.Lock()
	c.headers = map[string]string{}
	for key := range r.Header {
		c.headers[strings.ToLower(key)] = r.Header.Get(key)
	}
	c.mu.Unlock()
	var resp proto.Message
	switch r.URL.Path {
	case "/v1/traces":
		req := &coltrace.ExportTraceServiceRequest{}
		if err = proto.Unmarshal(body, req); err == nil {
			resp, err = c.takeTraces(r.Context(), req)
		}
	case "/v1/metrics":
		req := &colmetrics.ExportMetricsServiceRequest{}
		if err = proto.Unmarshal(body, req); err == nil {
			resp, err = c.takeMetrics(r.Context(), req)
		}
	case "/v1/logs":
		req := &collogs.ExportLogsServiceRequest{}
		if err = proto.Unmarshal(body, req); err == nil {
			resp, err = c.takeLogs(r.Context(), req)
		}
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	out, _ := proto.Marshal(resp)
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(out)
}

// listen serves a collector on loopback until the test ends, or stop, and
// returns its address.
func (c *collector) listen(t testing.TB, protocol string, cfg *tls.Config, addr string) (address string, stop func()) {
	t.Helper()
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return lis.Addr().String(), c.serve(t, protocol, cfg, lis)
}

func (c *collector) serve(t testing.TB, protocol string, cfg *tls.Config, lis net.Listener) (stop func()) {
	var serving sync.WaitGroup
	var end func()
	if protocol == "grpc" {
		srv := c.grpcServer(cfg)
		serving.Go(func() { _ = srv.Serve(lis) })
		end = srv.Stop
	} else {
		srv := &http.Server{Handler: c}
		if cfg != nil {
			lis = tls.NewListener(lis, cfg)
		}
		serving.Go(func() { _ = srv.Serve(lis) })
		end = func() { _ = srv.Close() }
	}
	stop = sync.OnceFunc(func() {
		end()
		serving.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// memory is a collector's listener without a network, for a bubble. While it is
// off nobody listens, and what was connected is cut.
type memory struct {
	mu    sync.Mutex
	lis   *bufconn.Listener
	hole  bool // connects, and nobody ever reads
	conns []net.Conn
}

func (m *memory) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	m.mu.Lock()
	lis, hole := m.lis, m.hole
	m.mu.Unlock()
	if hole {
		here, there := net.Pipe()
		m.mu.Lock()
		m.conns = append(m.conns, there)
		m.mu.Unlock()
		return here, nil
	}
	if lis == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errRefused}
	}
	return lis.DialContext(ctx)
}

func (m *memory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, conn := range m.conns {
		_ = conn.Close()
	}
}
