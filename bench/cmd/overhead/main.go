// Command overhead prints what servers cost per RPC as Markdown; package bench
// says how it is measured.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/grpcx-go/sdk/bench"
)

func main() {
	bench.ServeIfChild()

	cfg := bench.DefaultConfig()
	flag.IntVar(&cfg.Rounds, "rounds", cfg.Rounds, "`number` of rounds; each starts new servers and gives one ratio")
	flag.IntVar(&cfg.Chunks, "chunks", cfg.Chunks, "`number` of chunks that each server gets in a round")
	flag.IntVar(&cfg.Calls, "calls", cfg.Calls, "`number` of calls in a chunk")
	flag.Parse()

	if err := run(cfg); err != nil {
		fmt.Fprintln(os.Stderr, "overhead:", err)
		os.Exit(1)
	}
}

func run(cfg bench.Config) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	result, err := bench.Run(ctx, cfg, func(round int) {
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round, cfg.Rounds)
	})
	if err != nil {
		return err
	}
	return result.WriteMarkdown(os.Stdout)
}
