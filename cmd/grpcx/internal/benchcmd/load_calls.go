package benchcmd

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/interop/grpc_testing"
)

const (
	unarySize  = 1 << 10
	streamSize = 1 << 20
)

func openUnary(ctx context.Context, p *process) (*session, error) {
	s := &session{}
	for _, conn := range p.conns {
		for range callsInFlight {
			s.callers = append(s.callers, unaryCaller(ctx, conn))
		}
	}
	return s, nil
}

func unaryCaller(ctx context.Context, conn *grpc.ClientConn) func() error {
	client, req := grpc_testing.NewBenchmarkServiceClient(conn), request(unarySize)
	return func() error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		reply, err := client.UnaryCall(ctx, req)
		return echoed(reply, err, unarySize)
	}
}

// openStreams opens a stream on each connection. Its messages have no deadline
// of their own: the process that stops answering is killed, see process.watch.
func openStreams(ctx context.Context, p *process) (*session, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &session{}
	req := request(streamSize)
	for _, conn := range p.conns {
		stream, err := grpc_testing.NewBenchmarkServiceClient(conn).StreamingCall(ctx)
		if err != nil {
			cancel()
			return nil, err
		}
		s.callers = append(s.callers, func() error {
			if err := stream.Send(req); err != nil && !errors.Is(err, io.EOF) {
				return err // EOF: the status comes with Recv
			}
			reply, err := stream.Recv()
			return echoed(reply, err, streamSize)
		})
		s.ends = append(s.ends, func() error {
			if err := stream.CloseSend(); err != nil {
				return err
			}
			if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
				return fmt.Errorf("a stream did not end: %w", err)
			}
			return nil
		})
	}
	s.ends = append(s.ends, func() error { cancel(); return nil })
	return s, nil
}

func request(size int) *grpc_testing.SimpleRequest {
	return &grpc_testing.SimpleRequest{Payload: &grpc_testing.Payload{Body: make([]byte, size)}}
}

func echoed(reply *grpc_testing.SimpleResponse, err error, size int) error {
	if err != nil {
		return err
	}
	if n := len(reply.GetPayload().GetBody()); n != size {
		return fmt.Errorf("a reply has %d bytes, want %d", n, size)
	}
	return nil
}
