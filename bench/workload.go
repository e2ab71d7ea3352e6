package bench

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/interop/grpc_testing"
)

// Workload is what clients do with a server.
type Workload struct {
	Name string
	Unit string // what is counted: RPC or message

	times int // that each call asked for is made
	open  func(ctx context.Context, conn *grpc.ClientConn) (caller, error)
}

// caller is one of the clients that keep a call in flight each.
type caller struct {
	call  func() error
	close func() error
}

// messagesPerCall makes a chunk of messages, which are cheap, take about as
// long as one of calls.
const messagesPerCall = 4

// Workloads returns the three that are measured: small and larger unary calls,
// and small messages in both directions of open streams.
func Workloads() []Workload {
	return []Workload{
		{"unary 64 B", "RPC", 1, unary(64)},
		{"unary 1 KiB", "RPC", 1, unary(1 << 10)},
		{"stream 64 B", "message", messagesPerCall, pingPong(64)},
	}
}

func request(size int) *grpc_testing.SimpleRequest {
	return &grpc_testing.SimpleRequest{Payload: &grpc_testing.Payload{Body: make([]byte, size)}}
}

func unary(size int) func(context.Context, *grpc.ClientConn) (caller, error) {
	return func(ctx context.Context, conn *grpc.ClientConn) (caller, error) {
		client, req := grpc_testing.NewBenchmarkServiceClient(conn), request(size)
		return caller{
			call: func() error {
				reply, err := client.UnaryCall(ctx, req)
				return echoed(reply, err, size)
			},
			close: func() error { return nil },
		}, nil
	}
}

func pingPong(size int) func(context.Context, *grpc.ClientConn) (caller, error) {
	return func(ctx context.Context, conn *grpc.ClientConn) (caller, error) {
		stream, err := grpc_testing.NewBenchmarkServiceClient(conn).StreamingCall(ctx)
		if err != nil {
			return caller{}, err
		}
		req := request(size)
		return caller{
			call: func() error {
				if err := stream.Send(req); err != nil {
					return err
				}
				reply, err := stream.Recv()
				return echoed(reply, err, size)
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
