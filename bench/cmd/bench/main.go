// Command bench prints what servers cost as Markdown; package bench says how it
// is measured.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/grpcx-go/sdk/bench"
)

func main() {
	bench.ServeIfChild()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	cfg, err := bench.DefaultConfig()
	if err != nil {
		return err
	}
	var (
		peers  = flag.Bool("peers", false, "build and measure the peers too (their modules are fetched)")
		stacks = flag.String("stacks", "", "measure the stacks that match these `patterns`, separated by commas; bare always")
		loads  = flag.String("loads", "", "measure with the loads that match these `patterns`, separated by commas")
		out    = flag.String("out", "", "`directory` for bench.md and a plot of each load; the standard output gets the Markdown if empty")
		list   = flag.Bool("list", false, "print the stacks and loads, and measure nothing")
	)
	flag.IntVar(&cfg.Rounds, "rounds", cfg.Rounds, "`number` of rounds; each starts new servers and gives one ratio")
	flag.IntVar(&cfg.Chunks, "chunks", cfg.Chunks, "`number` of chunks that each server gets of each load in a round")
	flag.IntVar(&cfg.Calls, "calls", cfg.Calls, "`number` of calls in a chunk of unary calls")
	flag.StringVar(&cfg.ProfileDir, "cpuprofile", "", "existing `directory` for a CPU profile of each stack's last process, which costs a little itself")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; there are only flags, see -help", flag.Arg(0))
	}
	cfg.Note = func(text string) { fmt.Fprintln(os.Stderr, text) }

	if *peers {
		dir, err := os.MkdirTemp("", "grpcx-bench-peers-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		programs, err := bench.BuildPeers(ctx, dir)
		if err != nil {
			return err
		}
		cfg.Programs = append(cfg.Programs, programs...)
	}
	if err := cfg.SelectStacks(*stacks); err != nil {
		return err
	}
	if err := cfg.SelectLoads(*loads); err != nil {
		return err
	}
	if *list {
		printNames(cfg)
		return nil
	}
	result, err := bench.Run(ctx, cfg)
	if err != nil {
		return err
	}
	if *out == "" {
		return result.WriteMarkdown(os.Stdout)
	}
	return writeAll(*out, result)
}

func printNames(cfg bench.Config) {
	for _, p := range cfg.Programs {
		for _, name := range p.Stacks {
			fmt.Println("stack:", name)
		}
	}
	for _, l := range cfg.Loads {
		fmt.Printf("load: %-12s %s\n", l.Name, l.Title)
	}
}

func writeAll(dir string, result *bench.Result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "bench.md"), result.WriteMarkdown); err != nil {
		return err
	}
	for _, l := range result.Config.Loads {
		plot := func(w io.Writer) error { return result.WriteSVG(w, l) }
		if err := writeFile(filepath.Join(dir, l.Name+".svg"), plot); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
