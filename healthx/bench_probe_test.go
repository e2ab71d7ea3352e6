package healthx_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// BenchmarkProbe compares a probe with the least that its protocol costs:
// grpc-go's own health server, and a handler that writes "ok". The registries
// have ten checks, one of which hangs for ever. "loopback" is over a real
// connection with both sides in this process, and cpu-ns/op is the CPU time of
// both, the kernel's included. "call" is the server's handler alone, without a connection.
func BenchmarkProbe(b *testing.B) {
	stock := health.NewServer()
	registry, stop := busyRegistry(b)
	defer stop()
	register := map[string]func(grpc.ServiceRegistrar){
		"bare":    func(s grpc.ServiceRegistrar) { healthpb.RegisterHealthServer(s, stock) },
		"healthx": registry.Register,
	}
	handler := map[string]http.Handler{
		"bare":    http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }),
		"healthx": registry.Handler(),
	}
	for _, name := range []string{"bare", "healthx"} {
		b.Run("grpc/loopback/"+name, func(b *testing.B) { benchGRPC(b, register[name]) })
	}
	for _, name := range []string{"bare", "healthx"} {
		b.Run("http/loopback/"+name, func(b *testing.B) { benchHTTP(b, handler[name]) })
	}
	for name, h := range map[string]healthpb.HealthServer{"bare": stock, "healthx": direct(registry)} {
		b.Run("grpc/call/"+name, func(b *testing.B) {
			in := request("")
			measure(b, func() error {
				_, err := h.Check(context.Background(), in)
				return err
			})
		})
	}
	for _, path := range []string{"/readyz", "/readyz?verbose", "/readyz/check3"} {
		b.Run("http/call"+path, func(b *testing.B) {
			req, w := httptest.NewRequest(http.MethodGet, path, nil), &discard{header: http.Header{}}
			measure(b, func() error {
				handler["healthx"].ServeHTTP(w, req)
				return nil
			})
		})
	}
}

// busyRegistry runs ten checks, one of which never returns and is
// informational so that the others decide.
func busyRegistry(b *testing.B) (r *healthx.Registry, stop func()) {
	b.Helper()
	release := make(chan struct{})
	r = healthx.NewRegistry(quiet)
	assert.NoError(b, r.AddCheck("stuck", func(context.Context) error { <-release; return nil }, healthx.Informational()))
	for i := range 9 {
		r.AddService(fmt.Sprint("service", i))
		assert.NoError(b, r.AddCheck(fmt.Sprint("check", i), healthy))
	}
	end := run(b, r)
	<-r.Ready()
	return r, func() { close(release); end() }
}

func measure(b *testing.B, probe func() error) {
	b.Helper()
	b.ReportAllocs()
	before := cpuTime()
	for b.Loop() {
		if err := probe(); err != nil {
			b.Fatal(err)
		}
	}
	if used := cpuTime() - before; used > 0 {
		b.ReportMetric(float64(used)/float64(b.N), "cpu-ns/op")
	}
}

func benchGRPC(b *testing.B, register func(grpc.ServiceRegistrar)) {
	b.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(b, err)
	server := grpc.NewServer()
	register(server)
	served := make(chan error, 1)
	go func() { served <- server.Serve(lis) }()
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	assert.NoError(b, err)
	client, in := healthpb.NewHealthClient(conn), request("")
	measure(b, func() error {
		_, err := client.Check(context.Background(), in)
		return err
	})
	assert.NoError(b, conn.Close())
	server.Stop()
	assert.NoError(b, <-served)
}

// benchHTTP has a client that parses nothing, as its cost is not in question.
func benchHTTP(b *testing.B, h http.Handler) {
	b.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	assert.NoError(b, err)
	defer conn.Close()
	ask, answer := []byte("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"), make([]byte, 4096)
	measure(b, func() error {
		if _, err := conn.Write(ask); err != nil {
			return err
		}
		n, err := conn.Read(answer)
		if err != nil {
			return err
		}
		if got := answer[:n]; !bytes.HasPrefix(got, []byte("HTTP/1.1 200 OK\r\n")) || !bytes.HasSuffix(got, []byte("\r\n\r\nok")) {
			return fmt.Errorf("got %q", got)
		}
		return nil
	})
}
