package otlp_test

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/otlpx"
	"github.com/grpcx-go/sdk/tlsx"
)

// service does what each metric needs.
type service struct {
	testgrpc.UnimplementedTestServiceServer
	log *slog.Logger
}

func (s service) UnaryCall(ctx context.Context, req *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	switch req.GetResponseStatus().GetMessage() {
	case "panic":
		panic("of the test")
	case "stuck":
		<-ctx.Done() // longer than the drain waits
		return nil, ctx.Err()
	}
	s.log.InfoContext(ctx, "of the handler", "own", "line")
	return &testgrpc.SimpleResponse{Payload: req.GetPayload()}, status.Error(codes.Code(req.GetResponseStatus().GetCode()), "asked for")
}

func request(message string) *testgrpc.SimpleRequest {
	return &testgrpc.SimpleRequest{ResponseStatus: &testgrpc.EchoStatus{Message: message}}
}

// conditional are metrics that not every run has.
func conditional(name string) string {
	if name == "grpcx.runtime.cpu.throttled" || name == "grpcx.runtime.memory.events" {
		if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
			return "there are no control groups (v2)"
		}
	}
	return ""
}

// Every documented metric arrives, with the documented name, unit and attributes
// and no other; so do spans, and lines with the identifiers of their spans.
func TestArrives(t *testing.T) {
	heavy(t)
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		for _, secure := range []bool{false, true} {
			name := protocol
			if secure {
				name += " TLS"
			}
			t.Run(name, func(t *testing.T) {
				c := newCollector(t, secure)
				t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
				t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.url(protocol))
				t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", c.ca)
				t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "200")
				t.Setenv("OTEL_SERVICE_NAME", "greeter")
				useServer(t)
				got := c.read(t)
				checkMetrics(t, got)
				checkCalls(t, got)
				assert.Equal(t, got.resource["service.name"], "greeter")
			})
		}
	}
}

// useServer runs a server with all that is measured, and lets all of it happen.
func useServer(t *testing.T) {
	t.Helper()
	before := debug.SetMemoryLimit(8 << 30) // so that there is one to measure
	defer debug.SetMemoryLimit(before)
	dir := t.TempDir()
	ca := certtest.NewCA(t, "ca")
	cert, key := ca.Issue(t, certtest.Server).Write(t, dir, "server")
	files := tlsx.Files{Cert: cert, Key: key, ClientCA: ca.Write(t, dir, "ca")}
	logger := slog.New(otlpx.NewHandler(slog.NewTextHandler(t.Output(), nil)))
	srv, err := grpcx.New(
		otlpx.New(),
		grpcx.WithLogger(logger),
		grpcx.WithAddr("127.0.0.1:0"),
		grpcx.WithTLSFiles(files, tlsx.WithPollInterval(100*time.Millisecond)),
		grpcx.WithTelemetry(grpcx.Telemetry{Messages: true}),
		grpcx.WithCheck("database", func(context.Context) error { return nil }),
		grpcx.WithDrain(grpcx.Drain{Delay: -1, Timeout: 300 * time.Millisecond}),
	)
	assert.NoError(t, err)
	testgrpc.RegisterTestServiceServer(srv, service{log: logger})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := srv.Run(ctx); err == nil || !strings.Contains(err.Error(), "UnaryCall") {
			t.Errorf("the drain abandons a call: %v", err)
		}
	})
	<-srv.Ready()

	dial := func(ca *certtest.CA) (*grpc.ClientConn, testgrpc.TestServiceClient) {
		source, err := tlsx.Load(writeClient(t, ca))
		assert.NoError(t, err)
		conn, err := grpc.NewClient("localhost:"+port(srv), grpc.WithTransportCredentials(
			credentials.NewTLS(tlsx.ClientConfig(tlsx.Static(source), tlsx.ServerName("localhost")))))
		assert.NoError(t, err)
		return conn, testgrpc.NewTestServiceClient(conn)
	}
	conn, client := dial(ca)
	_, err = client.UnaryCall(ctx, request("fine"))
	assert.NoError(t, err)
	_, err = client.UnaryCall(ctx, &testgrpc.SimpleRequest{ResponseStatus: &testgrpc.EchoStatus{Code: int32(codes.Internal)}})
	assert.Equal(t, status.Code(err), codes.Internal)
	_, err = client.UnaryCall(ctx, request("panic"))
	assert.Equal(t, status.Code(err), codes.Internal)
	_, err = client.UnimplementedCall(ctx, &testgrpc.Empty{})
	assert.Equal(t, status.Code(err), codes.Unimplemented)

	// The files change for worse, then to another CA: the open connection is
	// trusted no longer.
	assert.NoError(t, os.WriteFile(cert, []byte("damaged"), 0o600))
	waitFor(t, "the reload to fail", func() bool { s, _ := srv.TLSStatus(); return s.Files.Degraded })
	next := certtest.NewCA(t, "next")
	next.Write(t, dir, "ca")
	next.Issue(t, certtest.Server).Write(t, dir, "server")
	waitFor(t, "the distrusted connection", func() bool {
		s, _ := srv.TLSStatus()
		n := uint64(0)
		for _, of := range s.Distrusted {
			n += of
		}
		return n > 0
	})
	_ = conn.Close()
	conn, client = dial(next)
	defer conn.Close()
	stuck := make(chan error, 1)
	go func() {
		_, err := client.UnaryCall(context.Background(), request("stuck"))
		stuck <- err
	}()
	time.Sleep(time.Second) // a few collections with all of it
	cancel()
	serving.Wait()
	<-stuck
}

func writeClient(t *testing.T, ca *certtest.CA) tlsx.Files {
	t.Helper()
	dir := t.TempDir()
	cert, key := ca.Issue(t, certtest.Client).Write(t, dir, "client")
	return tlsx.Files{Cert: cert, Key: key, ClientCA: ca.Write(t, dir, "ca"), Usage: tlsx.ForClient}
}

func port(srv *grpcx.Server) string {
	addr := srv.Addrs()[0].String()
	return addr[strings.LastIndex(addr, ":")+1:]
}

func checkMetrics(t *testing.T, got *received) {
	t.Helper()
	known := map[string]bool{}
	for _, row := range readDocumentation(t) {
		known[row.name] = true
		m := got.metrics[row.name]
		if m == nil {
			if reason := conditional(row.name); reason != "" {
				t.Logf("%s is not there: %s", row.name, reason)
			} else {
				t.Errorf("%s is documented and did not arrive", row.name)
			}
			continue
		}
		assert.Equal(t, m.Unit, row.unit, row.name)
		for _, want := range row.attributes {
			if m.keys[want] == nil {
				t.Errorf("%s: the documented attribute %s did not arrive", row.name, want)
			}
		}
		for have := range m.keys {
			if !slices.Contains(row.attributes, have) {
				t.Errorf("%s: the attribute %s is not documented", row.name, have)
			}
		}
	}
	for name := range got.metrics {
		if (strings.HasPrefix(name, "grpcx.") || strings.HasPrefix(name, "rpc.")) && !known[name] {
			t.Errorf("%s arrived and is not documented", name)
		}
	}
	for _, name := range []string{"go.memory.used", "go.goroutine.count", "go.schedule.duration"} {
		assert.True(t, got.metrics[name] != nil, name)
	}
}

func checkCalls(t *testing.T, got *received) {
	t.Helper()
	const method = "grpc.testing.TestService/UnaryCall"
	byID := map[string]span{}
	for _, s := range got.spans {
		byID[s.TraceID+s.SpanID] = s
	}
	outcomes := map[string]int{}
	for _, s := range got.spans {
		assert.Equal(t, s.Kind, 2) // server
		attrs := s.Attributes.all()
		assert.Equal(t, attrs["rpc.system.name"], "grpc")
		assert.Equal(t, attrs["rpc.method"], s.Name)
		assert.True(t, attrs["server.address"] != "" && attrs["server.port"] != "", "server.address and server.port")
		outcomes[s.Name+" "+attrs["rpc.response.status_code"]]++
	}
	assert.Equal(t, outcomes[method+" OK"], 1)
	assert.Equal(t, outcomes[method+" INTERNAL"], 2)

	lines := map[string]int{}
	for _, r := range got.logs {
		lines[r.Body.text()]++
		if r.Body.text() != "grpcx: call" && r.Body.text() != "of the handler" {
			continue
		}
		s, ok := byID[r.TraceID+r.SpanID]
		assert.True(t, ok, "the span of the line "+r.Body.text())
		attrs := r.Attributes.all()
		if m := attrs["rpc.method"]; m != "" {
			assert.Equal(t, m, s.Name)
			assert.Equal(t, attrs["rpc.response.status_code"], s.Attributes.all()["rpc.response.status_code"])
		} else {
			assert.Equal(t, attrs["own"], "line")
		}
	}
	assert.True(t, lines["grpcx: call"] >= 2 && lines["of the handler"] == 2 && lines["grpcx: serving"] == 1 && lines["grpcx: draining"] == 1)
}
