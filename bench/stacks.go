package bench

import (
	"runtime"

	"google.golang.org/grpc"

	"github.com/grpcx-go/sdk/bench/server"
)

// The stacks that tables compare.
const (
	Bare        = "bare"
	BareAgain   = "bare again"
	BareWorkers = "bare + workers"
	GRPCX       = "grpcx"
	// GRPCXNoWorkers is compared with Bare, and GRPCX with BareWorkers.
	GRPCXNoWorkers = grpcxWithout + "stream workers"

	grpcxWithout = GRPCX + " without "
)

// ServeIfChild serves a stack of this module and never returns, where the
// process was started to do so. Programs that measure call it first thing in
// main, or in TestMain.
func ServeIfChild() { server.ServeIfChild(stacks()...) }

// stacks holds the baseline first.
func stacks() []server.Stack {
	return append([]server.Stack{
		{Name: Bare, Serve: bare()},
		{Name: BareAgain, Serve: bare()},
		{Name: BareWorkers, Serve: bare(grpc.NumStreamWorkers(streamWorkers()))},
	}, grpcxStacks()...)
}

// streamWorkers is the number that grpcx has by default, see
// grpcx.WithStreamWorkers.
func streamWorkers() uint32 { return uint32(min(16*runtime.GOMAXPROCS(0), 512)) }

// bare is grpc-go as it comes, with a static TLS configuration where there is
// TLS.
func bare(opts ...grpc.ServerOption) func(*server.Env) error {
	return func(env *server.Env) error {
		srv := grpc.NewServer(env.Options(opts...)...)
		server.Register(srv)
		return srv.Serve(env.Listener())
	}
}
