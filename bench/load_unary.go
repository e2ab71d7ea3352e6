package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// callTimeout is the deadline of calls that have one; none comes near it.
const callTimeout = 20 * time.Second

// unary makes unary calls.
type unary struct {
	size       int
	noDeadline bool
	headers    bool
	failEvery  int
}

func (u unary) open(ctx context.Context, p *process) (session, error) {
	return openClosedLoop(ctx, p, u)
}

// failed counts the calls of all callers, so that the errors are spread alike
// over every server.
var failed atomic.Int64

func (u unary) caller(ctx context.Context, conn *grpc.ClientConn) (caller, error) {
	client, req := grpc_testing.NewBenchmarkServiceClient(conn), request(u.size)
	fails := request(u.size)
	fails.ResponseStatus = &grpc_testing.EchoStatus{Code: int32(codes.Internal), Message: "asked for"}
	return caller{call: func() error {
		ctx := ctx
		if !u.noDeadline {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, callTimeout)
			defer cancel()
		}
		if u.headers {
			ctx = withHeaders(ctx)
		}
		if u.failEvery > 0 && failed.Add(1)%int64(u.failEvery) == 0 {
			if _, err := client.UnaryCall(ctx, fails); status.Code(err) != codes.Internal {
				return fmt.Errorf("the call ended with %w, want Internal", err)
			}
			return nil
		}
		reply, err := client.UnaryCall(ctx, req)
		return echoed(reply, err, u.size)
	}}, nil
}

func request(size int) *grpc_testing.SimpleRequest {
	return &grpc_testing.SimpleRequest{Payload: &grpc_testing.Payload{Body: make([]byte, size)}}
}

func echoed(reply *grpc_testing.SimpleResponse, err error, size int) error {
	if err != nil {
		return err
	}
	if n := len(reply.GetPayload().GetBody()); n != size {
		return fmt.Errorf("the reply has %d bytes, want %d", n, size)
	}
	return nil
}
