package healthcmd_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/healthcmd"
	"github.com/grpcx-go/sdk/internal/assert"
)

// An outcome is what a command left behind.
type outcome struct {
	code        int
	out, errout string
	took        time.Duration
}

// run runs "grpcx health" in this process, with a timeout for a busy machine
// where the test gives none.
func run(t *testing.T, args ...string) outcome {
	t.Helper()
	if !strings.Contains(strings.Join(args, " "), "timeout") {
		args = append(slices.Clone(args), "--timeout", "10s")
	}
	return runContext(t.Context(), args...)
}

func runContext(ctx context.Context, args ...string) outcome {
	var out, errout bytes.Buffer
	start := time.Now()
	code := cli.Run(ctx, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errout},
		append([]string{"health"}, args...), healthcmd.New)
	return outcome{code, out.String(), errout.String(), time.Since(start)}
}

// wantError checks the code, that nothing is on standard output, and that one
// line on standard error holds all parts.
func (o outcome) wantError(t *testing.T, code int, parts ...string) {
	t.Helper()
	assert.Equal(t, o.code, code, o.errout)
	assert.Equal(t, o.out, "")
	assert.Contains(t, o.errout, parts...)
	assert.True(t, strings.HasPrefix(o.errout, "grpcx: "), o.errout)
	assert.Equal(t, strings.Count(o.errout, "\n"), 1, o.errout)
}

// listen returns a loopback listener that the test closes.
func listen(t *testing.T) net.Listener {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	t.Cleanup(func() { _ = lis.Close() })
	return lis
}

// closedPort returns an address at which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	lis := listen(t)
	assert.NoError(t, lis.Close())
	return lis.Addr().String()
}

// A server serves grpc.health.v1; "up" is SERVING, "down" and "odd" are not.
type server struct {
	addr   string
	health *health.Server
	grpc   *grpc.Server
}

func newHealth() *health.Server {
	h := health.NewServer()
	h.SetServingStatus("up", healthpb.HealthCheckResponse_SERVING)
	h.SetServingStatus("down", healthpb.HealthCheckResponse_NOT_SERVING)
	h.SetServingStatus("odd", healthpb.HealthCheckResponse_UNKNOWN)
	return h
}

// serve starts a server on a listener, in plaintext when config is nil.
func serve(t *testing.T, lis net.Listener, config *tls.Config, opts ...grpc.ServerOption) *server {
	t.Helper()
	if config != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(config)))
	}
	s := &server{addr: lis.Addr().String(), health: newHealth(), grpc: grpc.NewServer(opts...)}
	healthpb.RegisterHealthServer(s.grpc, s.health)
	s.start(t, lis)
	return s
}

func (s *server) start(t *testing.T, lis net.Listener) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.grpc.Serve(lis) // ends with Stop
	}()
	t.Cleanup(func() {
		s.grpc.Stop()
		<-done
	})
}

// raw accepts connections and gives each to handle, which owns it.
func raw(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	lis := listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			go handle(conn)
		}
	}()
	t.Cleanup(func() {
		_ = lis.Close()
		<-done
	})
	return lis.Addr().String()
}

// reply writes data, says that it is all, and waits for the other side to leave:
// closing earlier could throw the data away.
func reply(conn net.Conn, data string) {
	defer conn.Close()
	_, _ = conn.Write([]byte(data))
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, conn)
}
