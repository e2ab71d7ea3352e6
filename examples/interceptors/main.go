// Command interceptors runs go-grpc-middleware's auth, ratelimit and validator
// unchanged, for health and reflection too; its selector can leave methods out.
package main

import (
	"context"
	"crypto/subtle"
	"fmt"
	"log"
	"os"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/ratelimit"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/validator"
	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"golang.org/x/time/rate"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type greeter struct {
	greet.UnimplementedGreeterServer
}

func (greeter) Greet(_ context.Context, req *greet.GreetRequest) (*greet.GreetResponse, error) {
	return &greet.GreetResponse{Greeting: "Hello, " + req.GetName() + "!"}, nil
}

type limiter struct{ *rate.Limiter }

func (l limiter) Limit(context.Context) error {
	if !l.Allow() {
		return fmt.Errorf("%v calls a second are allowed", l.Limiter.Limit())
	}
	return nil
}

func authenticate(ctx context.Context) (context.Context, error) {
	token, err := auth.AuthFromMD(ctx, "bearer")
	if want := os.Getenv("TOKEN"); err == nil && (want == "" || subtle.ConstantTimeCompare([]byte(token), []byte(want)) == 0) {
		err = status.Error(codes.Unauthenticated, "the token is not known")
	}
	return ctx, err
}

func main() {
	limit := limiter{rate.NewLimiter(10, 10)}
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithAddr("127.0.0.1:50051"), grpcx.WithReflection(),
		grpcx.WithUnaryInterceptor(auth.UnaryServerInterceptor(authenticate), ratelimit.UnaryServerInterceptor(limit), validator.UnaryServerInterceptor()),
		grpcx.WithStreamInterceptor(auth.StreamServerInterceptor(authenticate), ratelimit.StreamServerInterceptor(limit), validator.StreamServerInterceptor()), grpcx.FromEnv("APP"))
	if err != nil {
		log.Fatal(err)
	}
	greet.RegisterGreeterServer(srv, greeter{})
	fmt.Printf("Call it: grpcurl -plaintext -H \"authorization: bearer $TOKEN\" -d '{\"name\": \"Ada\"}' %s greet.v1.Greeter/Greet\n", srv.Settings().Addrs[0])
	if err := srv.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
