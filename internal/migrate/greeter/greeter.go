// Package greeter is the service that the programs beside it serve. Moving from
// one server to another leaves it alone.
package greeter

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/examples/greet"
)

// Server greets. A few names make it misbehave, which shows what a client sees
// then.
type Server struct {
	greet.UnimplementedGreeterServer
}

// Greet greets one name.
func (Server) Greet(ctx context.Context, req *greet.GreetRequest) (*greet.GreetResponse, error) {
	switch name := req.GetName(); name {
	case "unknown":
		return nil, status.Error(codes.NotFound, "nobody of that name")
	case "mistake":
		return nil, errors.New("db 10.0.0.7: password of user app rejected")
	case "panic":
		panic("password=hunter2")
	case "deadline":
		deadline, ok := ctx.Deadline()
		if !ok {
			return &greet.GreetResponse{Greeting: "none"}, nil
		}
		return &greet.GreetResponse{Greeting: time.Until(deadline).Round(time.Second / 2).String()}, nil
	default:
		return &greet.GreetResponse{Greeting: "Hello, " + name + "!"}, nil
	}
}

// GreetEach greets every name of a stream.
func (s Server) GreetEach(stream grpc.BidiStreamingServer[greet.GreetRequest, greet.GreetResponse]) error {
	for {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		reply, err := s.Greet(stream.Context(), req)
		if err != nil {
			return err
		}
		if err := stream.Send(reply); err != nil {
			return err
		}
	}
}
