package parity_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// Every kind of RPC with every code, also ones that no standard has.
func TestCodes(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.String(), func(t *testing.T) {
			var steps []step
			for code := range codes.Code(17) {
				steps = append(steps, failing(k, status.Error(code, "said "+code.String())))
			}
			steps = append(steps, failing(k, status.Error(17, "invented")), failing(k, status.Error(4_000_000_000, "invented")))
			bare, ours := observe(t, &setup{}, steps)
			assert.Equal(t, len(bare.spans), len(steps), "spans of otelgrpc:")
			assert.Equal(t, len(bare.metrics), len(steps), "series of otelgrpc:")
			compare(t, bare, ours)
		})
	}
}

// Calls at the same time add up to the same metrics, and to as many spans, each
// with the parent of its own call.
func TestConcurrentCalls(t *testing.T) {
	const callers = 8
	synctest.Test(t, func(t *testing.T) {
		var found []map[string]uint64
		c := &setup{}
		for _, start := range []func(testing.TB) (*side, func()){c.startBare, c.startOurs} {
			s, stop := start(t)
			s.service.step.handle = func(ctx context.Context, _ *side) error {
				md, _ := metadata.FromIncomingContext(ctx)
				code, _ := strconv.Atoi(md.Get("code")[0])
				return status.Error(codes.Code(code), "as told")
			}
			var calls sync.WaitGroup
			for i := range callers {
				for j, k := range kinds {
					id := fmt.Sprintf("%016x", 1000+10*i+j)
					ctx := metadata.AppendToOutgoingContext(t.Context(), "code", strconv.Itoa(i), "traceparent", "00-"+traceID+"-"+id+"-01")
					calls.Go(func() {
						if got := status.Code(k.do(ctx, s)); got != codes.Code(i) {
							t.Errorf("%s, %s: got %s, want %s", s.name, k, got, codes.Code(i))
						}
					})
				}
			}
			calls.Wait()
			synctest.Wait()
			s.collect(t)
			count := map[string]uint64{}
			for _, m := range s.series {
				count[m.name+" "+m.attrs.String()] += m.count
			}
			for _, span := range s.recording(t).spans {
				count["span "+span.parent+" "+span.status+" "+span.attrs.String()]++
			}
			found = append(found, count)
			stop()
		}
		assert.Equal(t, len(found[0]), 2*callers*len(kinds), "what otelgrpc tells apart:")
		assert.Equal(t, found[1], found[0])
	})
}

// A server that grpcx only instruments records the same.
func TestInstrument(t *testing.T) {
	parent := []string{"traceparent", sampled, "tracestate", "vendor=1", "baggage", "a=1"}
	for _, test := range []struct {
		name    string
		step    step
		differs []difference
	}{
		{"answer", step{}, nil},
		{"under a parent", step{metadata: parent}, nil},
		{"a client's mistake", failing(0, status.Error(codes.NotFound, "none")), nil},
		{"failure", failing(0, status.Error(codes.Internal, "failed")), nil},
		{"plain error", failing(0, errors.New("plain")), []difference{masked}},
		{"panic", step{handle: func(context.Context, *side) error { panic("boom") }}, []difference{maskedPanic}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bare, ours := observe(t, &setup{instrument: true}, everyKind(test.step))
			compare(t, bare, ours, test.differs...)
		})
	}
}

func failing(k kind, err error) step {
	return step{kind: k, handle: func(context.Context, *side) error { return err }}
}

// statusOf is an error with a status of its own.
type statusOf struct{ st *status.Status } //nolint:errname // it is a status first

func (statusOf) Error() string                { return "an error" }
func (e statusOf) GRPCStatus() *status.Status { return e.st }

func TestErrors(t *testing.T) {
	// A handler gives up at its deadline. What its context says then is up to
	// grpc-go, which has two timers for it.
	atDeadline := func(err error) func(context.Context, *side) error {
		return func(ctx context.Context, _ *side) error {
			<-ctx.Done()
			return err
		}
	}
	cancelled := func(err func(context.Context) error) func(context.Context, *side) error {
		return func(ctx context.Context, s *side) error {
			s.service.cancel()
			<-ctx.Done()
			return err(ctx)
		}
	}
	returning := func(err error) func(context.Context, *side) error {
		return func(context.Context, *side) error { return err }
	}
	for _, test := range []struct {
		name    string
		handle  func(context.Context, *side) error
		timeout time.Duration
		differs []difference
	}{
		{name: "none"},
		{name: "plain", handle: returning(errors.New("password: hunter2")), differs: []difference{masked}},
		{name: "io.EOF", handle: returning(io.EOF), differs: []difference{masked}},
		{name: "io.ErrUnexpectedEOF", handle: returning(io.ErrUnexpectedEOF), differs: []difference{masked}},
		{name: "wrapped status", handle: returning(fmt.Errorf("load: %w", status.Error(codes.NotFound, "no such row")))},
		{name: "wrapped status of a server's error", handle: returning(fmt.Errorf("load: %w", status.Error(codes.Unavailable, "no database")))},
		{name: "joined with a status", handle: returning(errors.Join(errors.New("first"), status.Error(codes.DataLoss, "second")))},
		{name: "status of its own", handle: returning(statusOf{status.New(codes.Aborted, "again")})},
		{name: "status OK of its own", handle: returning(statusOf{status.New(codes.OK, "")})},
		{name: "status nil of its own", handle: returning(statusOf{}), differs: []difference{masked}},
		{name: "context.Canceled", handle: returning(context.Canceled)},
		{name: "wrapped context.Canceled", handle: returning(fmt.Errorf("query: %w", context.Canceled))},
		{name: "context.DeadlineExceeded", handle: returning(context.DeadlineExceeded)},
		{name: "wrapped context.DeadlineExceeded", handle: returning(fmt.Errorf("query: %w", context.DeadlineExceeded)), differs: []difference{maskedDeadline}},
		{name: "panic", handle: func(context.Context, *side) error { panic("boom") }, differs: []difference{maskedPanic}},
		{name: "panic with nil", handle: func(context.Context, *side) error { panic(nil) }, differs: []difference{maskedPanic}},
		{name: "cancelled by the client", handle: cancelled(context.Context.Err)},
		{name: "cancelled by the client, cause", handle: cancelled(context.Cause)},
		{name: "cancelled by the client, other error", handle: cancelled(func(context.Context) error { return status.Error(codes.Internal, "no use") })},
		{name: "deadline", handle: atDeadline(context.DeadlineExceeded), timeout: time.Second},
		{name: "deadline, wrapped", handle: atDeadline(fmt.Errorf("query: %w", context.DeadlineExceeded)), timeout: time.Second, differs: []difference{maskedDeadline}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bare, ours := observe(t, &setup{}, everyKind(step{handle: test.handle, timeout: test.timeout}))
			assert.Equal(t, len(bare.spans), len(kinds), "spans of otelgrpc:")
			compare(t, bare, ours, test.differs...)
		})
	}
}

func TestGoexit(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.String(), func(t *testing.T) {
			bare, ours := observe(t, &setup{}, []step{{kind: k, timeout: time.Second, handle: func(context.Context, *side) error {
				runtime.Goexit()
				return nil
			}}})
			compare(t, bare, ours, endedByGoexit)
		})
	}
}

// The client is gone when the handler answers.
func TestLateReply(t *testing.T) {
	late := func(ctx context.Context, s *side) error {
		s.service.cancel()
		<-ctx.Done()
		return nil
	}
	t.Run("unary", func(t *testing.T) {
		bare, ours := observe(t, &setup{}, []step{{kind: unary, handle: late}})
		compare(t, bare, ours, replyNotSent)
	})
	t.Run("streams", func(t *testing.T) {
		bare, ours := observe(t, &setup{}, []step{
			{kind: clientStreaming, handle: late}, {kind: serverStreaming, handle: late}, {kind: bidiStreaming, handle: late},
		})
		compare(t, bare, ours)
	})
}

// The connection breaks during a call.
func TestConnectionLost(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.String(), func(t *testing.T) {
			bare, ours := observe(t, &setup{}, []step{{kind: k, handle: func(ctx context.Context, s *side) error {
				_ = s.conn.Close()
				<-ctx.Done()
				return ctx.Err()
			}}})
			assert.Equal(t, bare.spans[0].attrs["rpc.response.status_code"], text("CANCELLED"))
			compare(t, bare, ours)
		})
	}
}

// Messages that cannot be read or written.
func TestMessages(t *testing.T) {
	const unaryMethod = "/grpc.testing.TestService/UnaryCall"
	const bidiMethod = "/grpc.testing.TestService/FullDuplexCall"
	garbage := []byte{0xff, 0xff, 0xff}
	big := &testgrpc.SimpleRequest{Payload: &testgrpc.Payload{Body: make([]byte, 2000)}}
	smallest := &setup{
		bare: func(*side) []grpc.ServerOption {
			return []grpc.ServerOption{grpc.MaxRecvMsgSize(1000), grpc.MaxSendMsgSize(1000)}
		},
		ours: []grpcx.Option{grpcx.WithLimits(grpcx.Limits{MaxRecvBytes: 1000, MaxSendBytes: 1000})},
	}
	for _, test := range []struct {
		name    string
		step    step
		differs []difference
	}{
		{"garbage, unary", step{call: rawCall(unaryMethod, garbage)}, nil},
		{"garbage, bidi", step{call: rawCall(bidiMethod, garbage)}, nil},
		{"none, unary", step{call: rawCall(unaryMethod)}, nil},
		{"two, unary", step{call: rawCall(unaryMethod, nil, nil)}, nil},
		{"too big a request, unary", step{call: func(ctx context.Context, s *side) error {
			_, err := testgrpc.NewTestServiceClient(s.conn).UnaryCall(ctx, big)
			return err
		}}, nil},
		{"too big a message, bidi", step{call: rawCall(bidiMethod, make([]byte, 2000))}, nil},
		{"too big a reply", step{reply: func() *testgrpc.SimpleResponse {
			return &testgrpc.SimpleResponse{Payload: &testgrpc.Payload{Body: make([]byte, 2000)}}
		}}, []difference{replyNotSent}},
		{"a reply that is not UTF-8", step{reply: func() *testgrpc.SimpleResponse {
			return &testgrpc.SimpleResponse{Username: "\xff"}
		}}, []difference{replyNotSent}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bare, ours := observe(t, smallest, []step{test.step})
			compare(t, bare, ours, test.differs...)
		})
	}
}

// A compression that the server does not know.
func TestUnknownCompression(t *testing.T) {
	//lint:ignore SA1019 the client of grpc-go cannot otherwise use one that is not registered
	bare, ours := observe(t, &setup{dial: []grpc.DialOption{grpc.WithCompressor(private{})}}, //nolint:staticcheck // as above
		[]step{{kind: unary}, {kind: bidiStreaming}})
	assert.Equal(t, bare.metrics[0].attrs["error.type"], text("UNIMPLEMENTED"))
	compare(t, bare, ours, refusedByGRPC)
}
