package grpcx_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

// These tests do not run in parallel: there is one runtime.

// whileServing runs a server and calls check while it serves.
func whileServing(t *testing.T, run func(*grpcx.Server, context.Context) error, check func(*grpcx.Server), opts ...grpcx.Option) {
	t.Helper()
	srv, err := grpcx.New(append(opts, grpcx.WithInsecure(), grpcx.WithAddr("127.0.0.1:0"), grpcx.WithDrain(grpcx.Drain{Delay: -1}))...)
	assert.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- run(srv, ctx) }()
	select {
	case <-srv.Ready():
		check(srv)
	case err := <-done:
		t.Fatal(err)
	}
	cancel()
	assert.NoError(t, <-done)
}

// tuned is true while a controller is active in this process.
func tuned(t *testing.T) bool {
	t.Helper()
	c, err := runtimex.Apply(runtimex.WithMinProcs(1), runtimex.WithLogger(slog.New(slog.DiscardHandler)))
	if errors.Is(err, runtimex.ErrApplied) {
		return true
	}
	assert.NoError(t, err)
	c.Undo()
	return false
}

func TestRunTunesTheRuntime(t *testing.T) {
	tests := []struct {
		name string
		run  func(*grpcx.Server, context.Context) error
		opts []grpcx.Option
		want bool
	}{
		{name: "Run", run: (*grpcx.Server).Run, want: true},
		{name: "Run without", run: (*grpcx.Server).Run, opts: []grpcx.Option{grpcx.Without(grpcx.RuntimeTuning)}},
		{name: "Serve", run: func(s *grpcx.Server, ctx context.Context) error { return s.Serve(ctx) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := runtimex.Current()
			whileServing(t, tt.run, func(*grpcx.Server) { assert.Equal(t, tuned(t), tt.want) }, tt.opts...)
			assert.True(t, !tuned(t), "tuned after the end")
			assert.Equal(t, runtimex.Current(), before)
		})
	}
}

// TestRunKeepsTheProgramsTuning: what main applied with options of its own
// holds, while the server runs and after it.
func TestRunKeepsTheProgramsTuning(t *testing.T) {
	procs := runtime.GOMAXPROCS(0)
	c, err := runtimex.Apply(runtimex.WithMaxProcs(1), runtimex.WithLogger(slog.New(slog.DiscardHandler)))
	assert.NoError(t, err)
	var log logBuffer
	whileServing(t, (*grpcx.Server).Run, func(s *grpcx.Server) {
		assert.Equal(t, s.Settings().Runtime.GOMAXPROCS.Value, 1)
	}, log.option())
	assert.Contains(t, log.String(), "runtime.gomaxprocs.value=1", "WithMaxProcs")
	assert.Equal(t, runtime.GOMAXPROCS(0), 1)
	c.Undo()
	assert.Equal(t, runtime.GOMAXPROCS(0), procs)
}

// TestTwoServers: they share the tuning, which lasts as long as either.
func TestTwoServers(t *testing.T) {
	whileServing(t, (*grpcx.Server).Run, func(*grpcx.Server) {
		whileServing(t, (*grpcx.Server).Run, func(*grpcx.Server) {})
		assert.True(t, tuned(t), "the first to end undid the tuning of both")
	})
	assert.True(t, !tuned(t), "tuned after the end")
}
