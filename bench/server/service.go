package server

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// Register registers the service that every stack serves. It returns the
// payload that it is sent, or the error that it is asked for.
func Register(reg grpc.ServiceRegistrar) {
	grpc_testing.RegisterBenchmarkServiceServer(reg, service{})
}

type service struct {
	grpc_testing.UnimplementedBenchmarkServiceServer
}

func (service) UnaryCall(_ context.Context, req *grpc_testing.SimpleRequest) (*grpc_testing.SimpleResponse, error) {
	if s := req.GetResponseStatus(); s.GetCode() != 0 {
		return nil, status.Error(codes.Code(s.GetCode()), s.GetMessage())
	}
	return &grpc_testing.SimpleResponse{Payload: req.GetPayload()}, nil
}

func (service) StreamingCall(stream grpc.BidiStreamingServer[grpc_testing.SimpleRequest, grpc_testing.SimpleResponse]) error {
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
