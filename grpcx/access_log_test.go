package grpcx_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
)

// TestLogOfSuccess: which calls that went well are in the access log.
func TestLogOfSuccess(t *testing.T) {
	tests := []struct {
		name   string
		policy grpcx.Policy
		lines  int // of a quick call and one that takes a second
	}{
		{"default", grpcx.Policy{}, 0},
		{"all", grpcx.Policy{Log: grpcx.LogAll}, 2},
		{"slow", grpcx.Policy{LogSlow: time.Second}, 1},
		{"not slow enough", grpcx.Policy{LogSlow: time.Second + 1}, 0},
		{"every one sampled", grpcx.Policy{LogSample: 1}, 2},
		{"none sampled", grpcx.Policy{LogSample: -1, LogSlow: -1}, 0},
		{"none", grpcx.Policy{Log: grpcx.LogNone, LogSlow: 1, LogSample: 1}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var logs logBuffer
				takes := time.Duration(0)
				srv := grpcxtest.New(t, logs.option(), withService(&service{unary: func(context.Context) error {
					time.Sleep(takes)
					return nil
				}}), grpcx.WithMethods(matchAll, tt.policy))
				for _, takes = range []time.Duration{0, time.Second} {
					_, err := client(srv).UnaryCall(t.Context(), &testgrpc.SimpleRequest{})
					assert.NoError(t, err)
				}
				synctest.Wait()
				assert.Equal(t, len(logs.lines("grpcx: call")), tt.lines)
			})
		})
	}
	_, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithMethods(matchAll, grpcx.Policy{LogSample: 5}))
	assert.ErrorContains(t, err, "WithMethods.LogSample", "0.01")
}

// TestSampledLog: a share of the calls is logged, not all and not none.
func TestSampledLog(t *testing.T) {
	var logs logBuffer
	srv := grpcxtest.New(t, logs.option(), withService(&service{unary: func(context.Context) error { return nil }}),
		grpcx.WithMethods(matchAll, grpcx.Policy{LogSample: 0.5}))
	for range 200 {
		_, err := client(srv).UnaryCall(t.Context(), &testgrpc.SimpleRequest{})
		assert.NoError(t, err)
	}
	n := len(logs.lines("grpcx: call")) // outside this with a chance below 1 in 10^16
	assert.True(t, n > 40 && n < 160)
}
