package benchcmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/tlsx"
)

const serveName = "serve"

// newServe makes the hidden command of the server process.
func newServe(streams cli.Streams) *cobra.Command {
	return &cobra.Command{
		Use:    serveName,
		Short:  "Serve the process that measures; started by grpcx bench",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// An interrupt from the terminal reaches this process too. It goes
			// on until its input ends, so that the other one knows first.
			return serve(context.WithoutCancel(cmd.Context()), streams.In, streams.Out)
		},
	}
}

// serve obeys an order, then answers questions until in ends, which it does
// with the process that asks, however that ended.
func serve(ctx context.Context, in io.Reader, out io.Writer) error {
	orders := json.NewDecoder(in)
	var o order
	if err := orders.Decode(&o); err != nil {
		return fmt.Errorf("the order on the standard input cannot be read: %w; this command is started by grpcx bench, run that", err)
	}
	srv, addr, err := newServer(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx) }()
	select {
	case err := <-served:
		return fmt.Errorf("the server ended before it was ready: %w", cmp.Or(err, errNoReason))
	case <-srv.Ready():
	}
	answered := make(chan error, 1)
	go func() { answered <- answer(orders, out, hello{addr, runtime.GOMAXPROCS(0)}) }()
	select {
	case err = <-served:
		return fmt.Errorf("the server ended early: %w", cmp.Or(err, errNoReason))
	case err = <-answered:
	}
	cancel()
	<-served //nolint:errcheck // what the drain had to abandon does not matter any more
	return err
}

var errNoReason = errors.New("it gave no reason")

// newServer is a server with every default but those of the drain.
func newServer(o order) (*grpcx.Server, string, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it resolves nothing
	if err != nil {
		return nil, "", err
	}
	transport := grpcx.WithInsecure()
	if o.Cert != "" {
		transport = grpcx.WithTLSFiles(tlsx.Files{Cert: o.Cert, Key: o.Key, ClientCA: o.ClientCA})
	}
	srv, err := grpcx.New(transport, grpcx.WithListener(lis),
		grpcx.WithLogger(slog.New(slog.DiscardHandler)),
		grpcx.WithDrain(grpcx.Drain{Delay: -1, Timeout: time.Second, Stop: time.Second}))
	if err != nil {
		return nil, "", errors.Join(err, lis.Close())
	}
	registerEcho(srv)
	return srv, lis.Addr().String(), nil
}

func answer(questions *json.Decoder, out io.Writer, greeting hello) error {
	replies := json.NewEncoder(out)
	if err := replies.Encode(greeting); err != nil {
		return err
	}
	for {
		var q question
		if err := questions.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("a question cannot be read: %w", err)
		}
		for range q.Collections {
			runtime.GC()
		}
		u, err := readUsage()
		if err != nil {
			return err
		}
		if err := replies.Encode(u); err != nil {
			return err
		}
	}
}

func readUsage() (usage, error) {
	cpu, err := cpuTime()
	if err != nil {
		return usage{}, fmt.Errorf("the CPU time of the server process cannot be read: %w", err)
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return usage{cpu.Nanoseconds(), mem.Mallocs, int64(mem.HeapAlloc + mem.StackInuse)}, nil
}
