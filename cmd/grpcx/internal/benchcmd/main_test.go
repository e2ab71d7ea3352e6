package benchcmd_test

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/benchcmd"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/internal/leak"
)

// TestMain is grpcx itself where a test starts it, or bench its server.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "bench" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		code := cli.Run(ctx, cli.System(), os.Args[1:], benchcmd.New)
		stop()
		os.Exit(code)
	}
	// A process with the race detector otherwise sleeps for a second at its end.
	os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	benchcmd.SetIdleConnections(40)
	leak.Main(m)
}
