package grpcx_test

import (
	"context"
	"net"
	"runtime"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// New starts no goroutine, opens no listener and leaves the runtime alone,
// whatever it is asked for.
func TestNewHasNoEffect(t *testing.T) {
	addr := freeAddr(t)
	procs := runtime.GOMAXPROCS(0)
	synctest.Test(t, func(t *testing.T) { // ends only when every goroutine in it has
		srv, err := grpcx.New(
			grpcx.WithTLS(mustDevcert(t).ServerSource()),
			grpcx.WithAddr(addr),
			grpcx.WithProbeAddr(addr),
			grpcx.WithCheck("db", func(context.Context) error { t.Error("a check ran"); return nil }),
			grpcx.WithSetup(func(context.Context, *grpcx.Setup) error { t.Error("a hook ran"); return nil }),
			grpcx.WithServerOptions(grpc.NumStreamWorkers(4)),
			grpcx.WithReflection(),
		)
		assert.NoError(t, err)
		srv.Go("task", func(context.Context) error { t.Error("a task ran"); return nil })
		synctest.Wait()
		assert.Equal(t, srv.Addrs(), nil)
	})
	lis, err := net.Listen("tcp", addr)
	assert.NoError(t, err, "the address is not free")
	_ = lis.Close()
	assert.Equal(t, runtime.GOMAXPROCS(0), procs)
}

// freeAddr returns a loopback address that nothing listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	defer lis.Close()
	return lis.Addr().String()
}
