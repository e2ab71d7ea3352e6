package grpcx_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// What follows pins how grpc-go behaves inside. A failure after an upgrade
// means that the file named must be read again.

// recorder is a connection, or a listener of them, that notes what grpc-go
// does with the deadline.
type recorder struct {
	net.Conn
	events chan string
}

func (r *recorder) SetDeadline(t time.Time) error {
	if t.IsZero() {
		r.events <- "cleared"
	} else {
		r.events <- "set"
	}
	return r.Conn.SetDeadline(t)
}

func (r *recorder) Read(p []byte) (int, error) {
	select {
	case r.events <- "read":
	default: // nobody cares for later reads
	}
	return r.Conn.Read(p)
}

type recorderListener struct {
	net.Listener
	events chan string
}

func (l *recorderListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &recorder{conn, l.events}, nil
}

// bareServer serves the test service with grpc-go alone.
func bareServer(t testing.TB, svc *service, wrap func(net.Listener) net.Listener) (addr string) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	addr = lis.Addr().String()
	if wrap != nil {
		lis = wrap(lis)
	}
	srv := grpc.NewServer()
	testgrpc.RegisterTestServiceServer(srv, svc)
	done := background(func() { _ = srv.Serve(lis) })
	t.Cleanup(func() {
		srv.Stop()
		<-done
	})
	return addr
}

func TestGRPCClearsDeadlineAfterHandshake(t *testing.T) {
	const broken = "grpc-go no longer sets a deadline before the handshake and clears it after; re-read conn.go (SetDeadline) and conn_table.go against handleRawConn in grpc-go's server.go"
	events := make(chan string, 100)
	next := func() string {
		select {
		case e := <-events:
			return e
		case <-time.After(patience):
			return "nothing"
		}
	}
	addr := bareServer(t, &service{}, func(lis net.Listener) net.Listener { return &recorderListener{lis, events} })
	conn, err := net.Dial("tcp", addr)
	assert.NoError(t, err)
	first, second := next(), next()
	if first != "set" || second != "read" {
		t.Fatalf("%s: before the preface it did %q and %q", broken, first, second)
	}
	if len(events) > 0 {
		t.Fatalf("%s: without a preface it did %q", broken, next())
	}
	newRawClient(t, conn)
	for {
		switch e := next(); e {
		case "read":
		case "cleared":
			return
		default:
			t.Fatalf("%s: after the preface it did %q", broken, e)
		}
	}
}

func TestGRPCStreamTakesStatus(t *testing.T) {
	const broken = "a call can no longer be ended from another goroutine; re-read call.go (abort) against grpc-go's internal/transport/server_stream.go"
	returned := make(chan error, 1)
	addr := bareServer(t, &service{unary: func(ctx context.Context) error {
		stream, ok := grpc.ServerTransportStreamFromContext(ctx).(interface {
			WriteStatus(*status.Status) error
		})
		if !ok {
			t.Errorf("%s: the stream in the context is a %T without WriteStatus", broken, grpc.ServerTransportStreamFromContext(ctx))
			return nil
		}
		go func() {
			if err := stream.WriteStatus(status.New(codes.DeadlineExceeded, "from elsewhere")); err != nil {
				t.Errorf("%s: WriteStatus: %v", broken, err)
			}
		}()
		<-ctx.Done()
		returned <- ctx.Err()
		return status.Error(codes.DataLoss, "too late")
	}}, nil)
	cc, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	assert.NoError(t, err)
	defer cc.Close()
	client := testgrpc.NewTestServiceClient(cc)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = client.UnaryCall(ctx, &testgrpc.SimpleRequest{})
	if status.Code(err) != codes.DeadlineExceeded || status.Convert(err).Message() != "from elsewhere" {
		t.Errorf("%s: the client got %v", broken, err)
	}
	select {
	case err := <-returned:
		assert.ErrorIs(t, err, context.Canceled)
	case <-ctx.Done():
		t.Errorf("%s: the handler's context did not end", broken)
	}
	_, err = client.EmptyCall(ctx, &testgrpc.Empty{})
	assert.NoError(t, err, "the next call on the connection:")
}

// keepingListener keeps the connections that it accepted.
type keepingListener struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func (l *keepingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.mu.Lock()
		l.conns = append(l.conns, conn)
		l.mu.Unlock()
	}
	return conn, err
}

// A peer that stops reading is cut, though a call to it has much to send,
// within about Keepalive.Timeout: TCP_USER_TIMEOUT does it.
func TestStalledPeerIsCut(t *testing.T) {
	for _, via := range []network{plaintext, overTLS} {
		t.Run(string(via), func(t *testing.T) {
			t.Parallel()
			const timeout = 2 * time.Second
			ended := make(chan time.Duration, 1)
			srv := newTarget(t, via, &service{output: func(s testgrpc.TestService_StreamingOutputCallServer) error {
				msg := &testgrpc.StreamingOutputCallResponse{Payload: &testgrpc.Payload{Body: make([]byte, 64<<10)}}
				last := time.Now()
				for {
					if err := s.Send(msg); err != nil {
						ended <- time.Since(last)
						return err
					}
					last = time.Now()
				}
			}}, grpcx.WithKeepalive(grpcx.Keepalive{Timeout: timeout}))
			conn, err := srv.dial()
			assert.NoError(t, err)
			stalled := &stallingConn{Conn: conn, stall: make(chan struct{})}
			c := newRawClient(t, stalled, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
			defer close(stalled.stall) // before the client's clean-up
			c.await("the server's SETTINGS", func() bool { return c.settings != nil })
			_ = c.fr.WriteWindowUpdate(0, 1<<30)
			stalled.mu.Lock()
			stalled.stalling = true
			stalled.mu.Unlock()
			c.data(c.open(outputPath, false), true, empty)
			assert.NoError(t, c.flush())

			var took time.Duration
			select {
			case took = <-ended:
			case <-time.After(patience):
				t.Fatalf("the handler still sends to a peer that does not read after %v", patience)
			}
			t.Logf("cut %v after the last message was taken, with a timeout of %v", took.Round(time.Millisecond), timeout)
			if took < timeout/2 || took > 6*timeout {
				t.Errorf("the peer was cut after %v, want about %v", took, timeout)
			}
			waitFor(t, "the end of the connection", func() bool { return srv.OpenConns() == 1 })
			srv.serves(t)
		})
	}
}

// stallingConn stops reading when told.
type stallingConn struct {
	net.Conn
	mu       sync.Mutex
	stalling bool
	stall    chan struct{}
}

func (c *stallingConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	stalling := c.stalling
	c.mu.Unlock()
	if stalling {
		<-c.stall
	}
	return c.Conn.Read(p)
}
