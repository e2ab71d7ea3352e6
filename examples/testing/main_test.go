package main

import (
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
)

// The server with its real options, over mutual TLS on a loopback port.
func TestGreet(t *testing.T) {
	srv := grpcxtest.NewMTLS(t, options(greeter{}))
	reply, err := greet.NewGreeterClient(srv.Conn).Greet(t.Context(), &greet.GreetRequest{Name: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := reply.GetGreeting(), "Hello, Ada!"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Inside a bubble time is fake: the call ends after 30 s to the nanosecond, and
// the test after a millisecond.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := grpcxtest.New(t, options(greeter{think: time.Hour}))
		begin := time.Now()
		_, err := greet.NewGreeterClient(srv.Conn).Greet(t.Context(), &greet.GreetRequest{Name: "Ada"})
		if got := status.Code(err); got != codes.DeadlineExceeded {
			t.Errorf("got %v, want DeadlineExceeded", got)
		}
		if took := time.Since(begin); took != 30*time.Second {
			t.Errorf("took %v, want 30s", took)
		}
	})
}

// A drain lets the call in flight end.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := grpcxtest.New(t, options(greeter{think: 20 * time.Second}), grpcx.WithDrain(grpcx.Drain{Timeout: time.Minute}))
		answered := make(chan error, 1)
		go func() {
			_, err := greet.NewGreeterClient(srv.Conn).Greet(t.Context(), &greet.GreetRequest{Name: "Ada"})
			answered <- err
		}()
		synctest.Wait() // until the handler thinks

		begin := time.Now()
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Errorf("the drain was not complete: %v", err)
		}
		if err := <-answered; err != nil {
			t.Errorf("the call in flight: %v", err)
		}
		if took := time.Since(begin); took != 20*time.Second {
			t.Errorf("the drain took %v, want 20s", took)
		}
	})
}
