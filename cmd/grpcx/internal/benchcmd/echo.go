package benchcmd

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/interop/grpc_testing"
)

// registerEcho registers the service that is measured: it returns the payload
// that it is sent.
func registerEcho(reg grpc.ServiceRegistrar) {
	grpc_testing.RegisterBenchmarkServiceServer(reg, echo{})
}

type echo struct {
	grpc_testing.UnimplementedBenchmarkServiceServer
}

func (echo) UnaryCall(_ context.Context, req *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	return &grpc_testing.SimpleResponse{Payload: req.GetPayload()}, nil
}

func (echo) StreamingCall(stream grpc.BidiStreamingServer[grpc_testing.SimpleRequest, grpc_testing.SimpleResponse]) error {
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&grpc_testing.SimpleResponse{Payload: req.GetPayload()}); err != nil {
			return err
		}
	}
}
