package grpcx_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
)

// TestStreamWorkers counts the goroutines that grpc-go keeps for handlers. It
// does not run in parallel, because it looks at the whole process.
func TestStreamWorkers(t *testing.T) {
	tests := []struct {
		name string
		opts []grpcx.Option
		want int
	}{
		{"default", nil, 16 * runtime.GOMAXPROCS(0)},
		{"some", []grpcx.Option{grpcx.WithStreamWorkers(5)}, 5},
		{"none", []grpcx.Option{grpcx.WithStreamWorkers(-1)}, 0},
		{"grpc's own option", []grpcx.Option{grpcx.WithServerOptions(grpc.NumStreamWorkers(7)), grpcx.WithStreamWorkers(5)}, 7},
		{"none by grpc's own option", []grpcx.Option{grpcx.WithServerOptions(grpc.NumStreamWorkers(0))}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				grpcxtest.New(t, tt.opts...)
				synctest.Wait()
				buf := make([]byte, 4<<20)
				stacks := string(buf[:runtime.Stack(buf, true)])
				assert.Equal(t, strings.Count(stacks, "grpc.(*Server).serverWorker("), tt.want)
			})
		})
	}
	_, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithStreamWorkers(1<<20))
	assert.ErrorContains(t, err, "WithStreamWorkers", "at most 65536")
}
