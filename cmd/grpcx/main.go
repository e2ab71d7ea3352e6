// Command grpcx looks after gRPC servers: it asks for their health, makes and
// renews their certificates, tells what the SDK would decide on a machine, and
// measures what serving costs there.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/benchcmd"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/certscmd"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/doctorcmd"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/healthcmd"
)

var commands = []func(cli.Streams) *cobra.Command{healthcmd.New, certscmd.New, doctorcmd.New, benchcmd.New}

func main() { os.Exit(run(os.Args[1:], commands...)) }

// run runs a command line. The first SIGINT or SIGTERM ends it in order, the
// second one at once, as if nobody had waited for either.
func run(args []string, commands ...func(cli.Streams) *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return cli.Run(ctx, cli.System(), args, commands...)
}
