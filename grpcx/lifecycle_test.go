package grpcx_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// bubble is a server on fake time, with injected signals.
type bubble struct {
	*grpcx.Server
	t       *testing.T
	signals chan os.Signal
	conn    *grpc.ClientConn
	err     error
	ended   time.Time
	served  chan struct{}
}

// inBubble runs a test with a server on fake time. Drain settings are the
// defaults: 5s, 15s, 5s.
func inBubble(t *testing.T, svc *service, test func(b *bubble), opts ...grpcx.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		lis := bufconn.Listen(1 << 20)
		var logs logBuffer
		srv, err := grpcx.New(append([]grpcx.Option{grpcx.WithInsecure(), grpcx.WithListener(lis), logs.option(), withService(svc)}, opts...)...)
		assert.NoError(t, err)
		b := &bubble{Server: srv, t: t, signals: make(chan os.Signal, 4), served: make(chan struct{})}
		go func() {
			defer close(b.served)
			b.err = srv.RunWithSignals(context.Background(), b.signals)
			b.ended = time.Now()
		}()
		b.conn, err = grpc.NewClient("passthrough:///bufconn",
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
		assert.NoError(t, err)
		defer b.conn.Close()
		<-srv.Ready()
		_, err = testgrpc.NewTestServiceClient(b.conn).EmptyCall(t.Context(), &testgrpc.Empty{})
		assert.NoError(t, err)
		test(b)
		select {
		case <-b.served:
		default:
			b.signals <- syscall.SIGTERM
			b.signals <- syscall.SIGTERM
			<-b.served
		}
	})
}

func (b *bubble) client() testgrpc.TestServiceClient { return testgrpc.NewTestServiceClient(b.conn) }

// drained waits for the end and returns how long the drain took.
func (b *bubble) drained(since time.Time) time.Duration {
	<-b.served
	return b.ended.Sub(since)
}

func TestDrainIdle(t *testing.T) {
	for _, test := range []struct {
		name  string
		start func(b *bubble)
		want  time.Duration
	}{
		{"SIGTERM", func(b *bubble) { b.signals <- syscall.SIGTERM }, 5 * time.Second},
		{"SIGINT skips the delay", func(b *bubble) { b.signals <- os.Interrupt }, 0},
		{"Shutdown", func(b *bubble) { go func() { _ = b.Shutdown(context.Background()) }() }, 5 * time.Second},
		{"second signal", func(b *bubble) {
			b.signals <- syscall.SIGTERM
			time.Sleep(time.Second)
			b.signals <- syscall.SIGTERM
		}, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, &service{}, func(b *bubble) {
				t := b.t
				begin := time.Now()
				test.start(b)
				assert.Equal(t, b.drained(begin), test.want)
				assert.NoError(t, b.err)
			})
		})
	}
}

// During the delay the server says NOT_SERVING and goes on serving; then it
// asks clients to go.
func TestDrainOrder(t *testing.T) {
	inBubble(t, &service{}, func(b *bubble) {
		t := b.t
		health := healthpb.NewHealthClient(b.conn)
		watch, err := health.Watch(t.Context(), &healthpb.HealthCheckRequest{})
		assert.NoError(t, err)
		first, err := watch.Recv()
		assert.NoError(t, err)
		assert.Equal(t, first.GetStatus(), healthpb.HealthCheckResponse_SERVING)

		begin := time.Now()
		b.signals <- syscall.SIGTERM
		next, err := watch.Recv()
		assert.NoError(t, err)
		assert.Equal(t, next.GetStatus(), healthpb.HealthCheckResponse_NOT_SERVING)
		assert.Equal(t, time.Since(begin), time.Duration(0))

		// A new stream is told, and stays open.
		late, err := health.Watch(t.Context(), &healthpb.HealthCheckRequest{Service: "grpc.testing.TestService"})
		assert.NoError(t, err)
		told, err := late.Recv()
		assert.NoError(t, err)
		assert.Equal(t, told.GetStatus(), healthpb.HealthCheckResponse_NOT_SERVING)

		time.Sleep(4999 * time.Millisecond)
		_, err = b.client().EmptyCall(t.Context(), &testgrpc.Empty{})
		assert.NoError(t, err)

		_, err = watch.Recv()
		wantCode(t, err, codes.Unavailable)
		_, err = late.Recv()
		wantCode(t, err, codes.Unavailable)
		assert.Equal(t, time.Since(begin), 5*time.Second)
		assert.Equal(t, b.drained(begin), 5*time.Second)
		assert.NoError(t, b.err)
	})
}

// Calls in flight may use all of Drain.Timeout.
func TestDrainWaitsForCalls(t *testing.T) {
	svc := &service{unary: func(context.Context) error { time.Sleep(19 * time.Second); return nil }}
	inBubble(t, svc, func(b *bubble) {
		t := b.t
		var err error
		call := background(func() { _, err = b.client().UnaryCall(t.Context(), &testgrpc.SimpleRequest{}) })
		synctest.Wait()
		begin := time.Now()
		b.signals <- syscall.SIGTERM
		assert.Equal(t, b.drained(begin), 19*time.Second)
		assert.NoError(t, b.err)
		<-call
		assert.NoError(t, err)
	})
}

// A stream that watches Draining ends at once when the drain begins.
func TestDraining(t *testing.T) {
	svc := &service{duplex: func(s testgrpc.TestService_FullDuplexCallServer) error {
		<-grpcx.Draining(s.Context())
		return nil
	}}
	inBubble(t, svc, func(b *bubble) {
		t := b.t
		stream, err := b.client().FullDuplexCall(t.Context())
		assert.NoError(t, err)
		synctest.Wait()
		begin := time.Now()
		b.signals <- syscall.SIGTERM
		_, err = stream.Recv()
		assert.ErrorIs(t, err, io.EOF)
		assert.Equal(t, time.Since(begin), time.Duration(0))
		b.drained(begin)
		assert.NoError(t, b.err)
	})
}

// Draining fires when the connection's age is over, on that connection alone.
func TestDrainingByAge(t *testing.T) {
	var aged time.Duration
	svc := &service{duplex: func(s testgrpc.TestService_FullDuplexCallServer) error {
		begin := time.Now()
		<-grpcx.Draining(s.Context())
		aged = time.Since(begin)
		return nil
	}}
	inBubble(t, svc, func(b *bubble) {
		t := b.t
		stream, err := b.client().FullDuplexCall(t.Context())
		assert.NoError(t, err)
		_, err = stream.Recv()
		assert.ErrorIs(t, err, io.EOF)
		assert.True(t, aged >= 9*time.Minute && aged <= 11*time.Minute, aged.String())
	}, grpcx.WithKeepalive(grpcx.Keepalive{MaxConnectionAge: 10 * time.Minute}))
}

func TestDrainingOutsideACall(t *testing.T) {
	assert.True(t, grpcx.Draining(t.Context()) == nil)
}

// A handler that never ends is abandoned and named.
func TestDrainStuckHandler(t *testing.T) {
	release := make(chan struct{})
	svc := &service{unary: func(context.Context) error { <-release; return nil }}
	inBubble(t, svc, func(b *bubble) {
		t := b.t
		release = make(chan struct{}) // of the bubble
		call := background(func() { _, _ = b.client().UnaryCall(t.Context(), &testgrpc.SimpleRequest{}) })
		synctest.Wait()
		begin := time.Now()
		b.signals <- syscall.SIGTERM
		took := b.drained(begin)
		assert.True(t, took >= 20*time.Second && took <= 25*time.Second, took.String())
		de, ok := errors.AsType[*grpcx.DrainError](b.err)
		assert.True(t, ok)
		assert.Equal(t, de.Aborted, []string{"grpc.testing.TestService/UnaryCall"})
		assert.Equal(t, de.Stuck, []string{"grpc.testing.TestService/UnaryCall"})
		assert.ErrorContains(t, b.err, "grpc.testing.TestService/UnaryCall")
		<-call
		close(release)
		synctest.Wait()
	})
}

// A handler that honours its context is aborted at the limit and not stuck.
func TestDrainAbortsCalls(t *testing.T) {
	svc := &service{unary: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
	inBubble(t, svc, func(b *bubble) {
		t := b.t
		var err error
		call := background(func() { _, err = b.client().UnaryCall(t.Context(), &testgrpc.SimpleRequest{}) })
		synctest.Wait()
		begin := time.Now()
		b.signals <- syscall.SIGTERM
		assert.Equal(t, b.drained(begin), 20*time.Second)
		<-call
		wantCode(t, err, codes.Unavailable)
		de, _ := errors.AsType[*grpcx.DrainError](b.err)
		assert.Equal(t, *de, grpcx.DrainError{Aborted: []string{"grpc.testing.TestService/UnaryCall"}, Connections: 1})
	})
}

// A handler that called Goexit was answered, and nothing waits for it.
func TestDrainAfterGoexit(t *testing.T) {
	svc := &service{unary: func(context.Context) error { runtime.Goexit(); return nil }}
	inBubble(t, svc, func(b *bubble) {
		t := b.t
		_, err := b.client().UnaryCall(t.Context(), &testgrpc.SimpleRequest{})
		wantCode(t, err, codes.Internal)
		begin := time.Now()
		b.signals <- syscall.SIGTERM
		assert.Equal(t, b.drained(begin), 5*time.Second)
		assert.NoError(t, b.err)
	})
}

// A stop hook that hangs is abandoned, named, and leaves time to the others.
func TestDrainHangingHook(t *testing.T) {
	var ran []string
	forever := make(chan struct{})
	hooks := grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
		forever = make(chan struct{})
		s.OnStop("flush", func(context.Context) error { ran = append(ran, "flush"); return nil })
		s.OnStop("hang", func(context.Context) error { <-forever; return nil })
		s.OnStop("fail", func(context.Context) error { return errors.New("disk full") })
		s.OnStop("panic", func(context.Context) error { panic("oops") })
		return nil
	})
	inBubble(t, &service{}, func(b *bubble) {
		t := b.t
		begin := time.Now()
		b.signals <- syscall.SIGTERM
		assert.Equal(t, b.drained(begin), 5*time.Second+2500*time.Millisecond)
		de, _ := errors.AsType[*grpcx.DrainError](b.err)
		assert.Equal(t, *de, grpcx.DrainError{Hooks: []string{"hang"}})
		assert.ErrorContains(t, b.err, "hang", "fail: disk full", "stop hook panic")
		assert.Equal(t, ran, []string{"flush"})
		close(forever)
	}, hooks)
}

// Tasks end after the calls, the last one first.
func TestTasks(t *testing.T) {
	var order []string
	svc := &service{unary: func(context.Context) error {
		time.Sleep(7 * time.Second)
		order = append(order, "call")
		return nil
	}}
	inBubble(t, svc, func(b *bubble) {
		t := b.t
		task := func(name string, linger time.Duration) {
			b.Go(name, func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(linger)
				order = append(order, name)
				return ctx.Err()
			})
		}
		task("first", 0)
		task("second", time.Second)
		b.Go("done", func(context.Context) error { return nil })
		call := background(func() { _, _ = b.client().UnaryCall(t.Context(), &testgrpc.SimpleRequest{}) })
		synctest.Wait()
		begin := time.Now()
		b.signals <- syscall.SIGTERM
		assert.Equal(t, b.drained(begin), 8*time.Second)
		assert.NoError(t, b.err)
		assert.Equal(t, order, []string{"call", "second", "first"})
		<-call
	})
}

func TestTaskFailureDrains(t *testing.T) {
	broken := errors.New("queue lost")
	for name, run := range map[string]func(context.Context) error{
		"error":  func(context.Context) error { return broken },
		"panic":  func(context.Context) error { panic("queue lost") },
		"Goexit": func(context.Context) error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, &service{}, func(b *bubble) {
				t := b.t
				begin := time.Now()
				b.Go("consumer", run)
				assert.Equal(t, b.drained(begin), 5*time.Second)
				assert.ErrorContains(t, b.err, "consumer")
				if name == "error" {
					assert.ErrorIs(t, b.err, broken)
				}
			})
		})
	}
}

// A task that ignores its context is abandoned and named.
func TestStuckTask(t *testing.T) {
	forever := make(chan struct{})
	inBubble(t, &service{}, func(b *bubble) {
		t := b.t
		forever = make(chan struct{})
		b.Go("consumer", func(context.Context) error { <-forever; return nil })
		begin := time.Now()
		b.signals <- syscall.SIGTERM
		assert.Equal(t, b.drained(begin), 5*time.Second+2500*time.Millisecond)
		de, _ := errors.AsType[*grpcx.DrainError](b.err)
		assert.Equal(t, *de, grpcx.DrainError{Tasks: []string{"consumer"}})
		close(forever)
	})
}

// A second signal ends everything at once, whatever hangs.
func TestSecondSignal(t *testing.T) {
	for name, wait := range map[string]time.Duration{"in the delay": time.Second, "after it": 6 * time.Second} {
		t.Run(name, func(t *testing.T) {
			svc := &service{unary: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
			inBubble(t, svc, func(b *bubble) {
				t := b.t
				call := background(func() { _, _ = b.client().UnaryCall(t.Context(), &testgrpc.SimpleRequest{}) })
				synctest.Wait()
				begin := time.Now()
				b.signals <- syscall.SIGTERM
				time.Sleep(wait)
				b.signals <- syscall.SIGTERM
				took := b.drained(begin)
				assert.True(t, took-wait < time.Second, took.String())
				de, _ := errors.AsType[*grpcx.DrainError](b.err)
				assert.True(t, de != nil && de.Hurried)
				<-call
			})
		})
	}
}

// When its context ends first, Shutdown cuts the drain short.
func TestShutdownContext(t *testing.T) {
	svc := &service{unary: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
	inBubble(t, svc, func(b *bubble) {
		t := b.t
		call := background(func() { _, _ = b.client().UnaryCall(t.Context(), &testgrpc.SimpleRequest{}) })
		synctest.Wait()
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		assert.ErrorIs(t, b.Shutdown(ctx), context.DeadlineExceeded)
		took := b.drained(begin)
		assert.True(t, took >= 7*time.Second && took < 8*time.Second, took.String())
		<-call
	})
}

// Health is NOT_SERVING, and Ready open, until every check has passed.
func TestReadyAfterChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lis := bufconn.Listen(1 << 20)
		begin := time.Now()
		srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithListener(lis), new(logBuffer).option(),
			grpcx.WithCheck("db", func(context.Context) error {
				if time.Since(begin) < time.Minute {
					return errors.New("connection refused")
				}
				return nil
			}))
		assert.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		served := background(func() { assert.NoError(t, srv.Serve(ctx)) })
		time.Sleep(50 * time.Second)
		status, _ := srv.Health().Status("")
		assert.Equal(t, status.String(), "NOT_SERVING")
		<-srv.Ready()
		waited := time.Since(begin)
		assert.True(t, waited >= time.Minute && waited <= 72*time.Second, waited.String())
		cancel()
		<-served
	})
}

// A call whose request does not arrive is ended after exactly the timeout; one
// that takes a stream of requests may wait.
func TestFirstMessageTimeout(t *testing.T) {
	desc := map[string]*grpc.StreamDesc{
		testgrpc.TestService_UnaryCall_FullMethodName:           {ServerStreams: true, ClientStreams: true},
		testgrpc.TestService_StreamingOutputCall_FullMethodName: {ServerStreams: true, ClientStreams: true},
	}
	inBubble(t, &service{}, func(b *bubble) {
		t := b.t
		for _, method := range slices.Sorted(maps.Keys(desc)) {
			begin := time.Now()
			stream, err := b.conn.NewStream(t.Context(), desc[method], method)
			assert.NoError(t, err)
			err = stream.RecvMsg(&testgrpc.SimpleResponse{})
			wantCode(t, err, codes.DeadlineExceeded)
			assert.ErrorContains(t, err, "did not arrive within 30s")
			assert.Equal(t, time.Since(begin), 30*time.Second)
		}
		patient, err := b.client().FullDuplexCall(t.Context())
		assert.NoError(t, err)
		time.Sleep(time.Minute)
		assert.NoError(t, patient.Send(&testgrpc.StreamingOutputCallRequest{}))
		_, err = patient.Recv()
		assert.NoError(t, err)
		assert.NoError(t, patient.CloseSend())
	})
}

// A policy's deadline answers the client on time, whatever the handler does.
func TestPolicyTimeout(t *testing.T) {
	forever := make(chan struct{})
	svc := &service{
		unary: func(ctx context.Context) error {
			if d, ok := ctx.Deadline(); !ok || time.Until(d) != 3*time.Second {
				return errors.New("no deadline of 3s")
			}
			<-forever
			return nil
		},
		duplex: func(s testgrpc.TestService_FullDuplexCallServer) error { _, err := s.Recv(); return err },
	}
	inBubble(t, svc, func(b *bubble) {
		t := b.t
		forever = make(chan struct{})
		begin := time.Now()
		_, err := b.client().UnaryCall(t.Context(), &testgrpc.SimpleRequest{})
		wantCode(t, err, codes.DeadlineExceeded)
		assert.Equal(t, time.Since(begin), 3*time.Second)
		stream, err := b.client().FullDuplexCall(t.Context())
		assert.NoError(t, err)
		_, err = stream.Recv()
		wantCode(t, err, codes.DeadlineExceeded)
		assert.Equal(t, time.Since(begin), 6*time.Second)
		close(forever)
		synctest.Wait()
	}, grpcx.WithMethods(matchAll, grpcx.Policy{Timeout: 3 * time.Second}))
}
