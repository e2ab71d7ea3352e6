package grpcxtest

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// Server is a server under test. It serves and is ready when New returns.
type Server struct {
	*grpcx.Server

	// Conn is a client connection to the server.
	Conn *grpc.ClientConn

	dial   func(...grpc.DialOption) (*grpc.ClientConn, error)
	served chan struct{} // closed when Serve has returned
	err    error         // what it returned
}

const (
	startLimit = 10 * time.Second
	stopLimit  = 10 * time.Second
	bufferSize = 1 << 20
)

// Services is an option that registers services:
//
//	grpcxtest.Services(func(r grpc.ServiceRegistrar) { greetpb.RegisterGreeterServer(r, greeter{}) })
func Services(register func(grpc.ServiceRegistrar)) grpcx.Option {
	return grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
		register(s)
		return nil
	})
}

// New serves over memory, in plaintext, and returns when the server is ready.
// Options beat the harness's own: no Drain.Delay, a second for Drain.Timeout
// and Drain.Stop each, and a log that goes to t. The server is drained when
// the test ends; what Serve returned then fails the test, unless the test
// called Shutdown or Stop itself.
func New(t testing.TB, opts ...grpcx.Option) *Server {
	t.Helper()
	lis := bufconn.Listen(bufferSize)
	dial := func(more ...grpc.DialOption) (*grpc.ClientConn, error) {
		return grpc.NewClient("passthrough:///bufconn", append([]grpc.DialOption{
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }),
		}, more...)...)
	}
	return start(t, lis, dial, append([]grpcx.Option{grpcx.WithInsecure()}, opts...))
}

// NewMTLS serves over loopback TCP with mutual TLS, with certificates made for
// this test, and returns when the server is ready. Otherwise it is like [New].
// It cannot be used inside a synctest bubble.
func NewMTLS(t testing.TB, opts ...grpcx.Option) *Server {
	t.Helper()
	certs, err := devcert.New()
	if err != nil {
		t.Fatalf("grpcxtest: %v", err)
	}
	lis, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("grpcxtest: %v", err)
	}
	client := credentials.NewTLS(tlsx.ClientConfig(certs.ClientSource(), tlsx.ServerName("localhost")))
	dial := func(more ...grpc.DialOption) (*grpc.ClientConn, error) {
		return grpc.NewClient(lis.Addr().String(),
			append([]grpc.DialOption{grpc.WithTransportCredentials(client)}, more...)...)
	}
	return start(t, lis, dial, append([]grpcx.Option{grpcx.WithTLS(certs.ServerSource())}, opts...))
}

func start(t testing.TB, lis net.Listener, dial func(...grpc.DialOption) (*grpc.ClientConn, error), opts []grpcx.Option) *Server {
	t.Helper()
	defaults := []grpcx.Option{
		grpcx.WithDrain(grpcx.Drain{Delay: -1, Timeout: time.Second, Stop: time.Second}),
		grpcx.WithLogger(slog.New(slog.NewTextHandler(t.Output(), nil))),
	}
	srv, err := grpcx.New(append(defaults, opts...)...)
	if err != nil {
		_ = lis.Close()
		t.Fatalf("grpcxtest: %v", err)
	}
	s := &Server{Server: srv, dial: dial, served: make(chan struct{})}
	go func() {
		defer close(s.served)
		s.err = srv.Serve(context.Background(), lis)
	}()

	timer := time.NewTimer(startLimit)
	defer timer.Stop()
	select {
	case <-srv.Ready():
	case <-s.served:
		t.Fatalf("grpcxtest: the server did not start: %v", s.err)
	case <-timer.C:
		report := srv.Health().Report()
		_ = srv.Shutdown(expired())
		t.Fatalf("grpcxtest: the server was not ready within %v: %+v", startLimit, report)
	}
	s.Conn = s.Dial(t)
	t.Cleanup(func() {
		stopped := s.Stopped()
		if err := s.Stop(); err != nil && !stopped {
			t.Errorf("grpcxtest: the server stopped with: %v", err)
		}
	})
	return s
}

// Dial makes another client connection, closed when the test ends.
func (s *Server) Dial(t testing.TB, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := s.dial(opts...)
	if err != nil {
		t.Fatalf("grpcxtest: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// Stop drains the server and returns what Serve returned.
func (s *Server) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		return err
	}
	<-s.served
	return s.err
}

// Stopped reports whether the server has stopped already.
func (s *Server) Stopped() bool {
	select {
	case <-s.Done():
		return true
	default:
		return false
	}
}

func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
