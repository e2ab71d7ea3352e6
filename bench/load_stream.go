package bench

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/interop/grpc_testing"
)

// pingPong sends messages on open streams, each after the answer to the one
// before.
type pingPong struct{ size int }

func (s pingPong) open(ctx context.Context, p *process) (session, error) {
	return openClosedLoop(ctx, p, s)
}

func (s pingPong) caller(ctx context.Context, conn *grpc.ClientConn) (caller, error) {
	stream, err := grpc_testing.NewBenchmarkServiceClient(conn).StreamingCall(ctx)
	if err != nil {
		return caller{}, err
	}
	req := request(s.size)
	return caller{
		call: func() error {
			if err := stream.Send(req); err != nil {
				return err
			}
			reply, err := stream.Recv()
			return echoed(reply, err, s.size)
		},
		close: func() error {
			if err := stream.CloseSend(); err != nil {
				return err
			}
			if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
				return fmt.Errorf("the stream ended with %w, want EOF", err)
			}
			return nil
		},
	}, nil
}
