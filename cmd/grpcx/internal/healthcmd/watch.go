package healthcmd

import (
	"context"
	"errors"
	"io"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
)

// retryAfter is the pause between two attempts of --watch. It does not shrink
// after an answer, so that a server that ends its streams is not flooded.
const retryAfter = time.Second

// A watcher prints what changes.
type watcher struct {
	request *request
	printer *printer
	begun   bool   // there was an answer
	last    string // what the last line said
	lastErr error  // the verdict of the last line
	written error  // why a line could not be written
}

// watch prints every change until ctx ends. Without a first answer it returns
// as check does; later it follows the server through its restarts.
func watch(ctx context.Context, r *request, p *printer) error {
	ctx = metadata.NewOutgoingContext(ctx, r.headers)
	w := &watcher{request: r, printer: p}
	for {
		err := w.follow(ctx)
		switch {
		case w.written != nil:
			return cli.Exit(cli.Failed, w.written)
		case !w.begun:
			if printErr := p.print(answer{}, err); printErr != nil {
				return cli.Exit(cli.Failed, printErr)
			}
			return exit(err)
		case ctx.Err() != nil:
			return w.verdict()
		}
		w.change(answer{}, err)
		select {
		case <-ctx.Done():
			return w.verdict()
		case <-time.After(retryAfter):
		}
	}
}

// verdict is the exit code of the last line, which is all there is to say.
func (w *watcher) verdict() error {
	if fault, ok := errors.AsType[*fault](w.lastErr); ok {
		return cli.Exit(fault.code, nil)
	}
	return nil
}

// follow prints the changes of one stream and returns why it ended.
func (w *watcher) follow(ctx context.Context) error {
	r := w.request
	conn, err := connect(ctx, r)
	if err != nil {
		return err
	}
	defer conn.Close() // it has no other error than that it is closed
	limit := r.call
	if r.total > 0 {
		limit = max(0, r.total-conn.took)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(limit, func() { cancel(context.DeadlineExceeded) })
	defer timer.Stop()
	start := time.Now()
	client := healthpb.NewHealthClient(conn)
	stream, err := client.Watch(ctx, &healthpb.HealthCheckRequest{Service: r.service})
	if err != nil {
		return explain(ctx, r, client, err)
	}
	result := answer{connect: conn.took, tls: conn.attempt.tlsState()}
	for w.written == nil {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return callFault(r, "the server ended the watch; see its log")
		}
		if err != nil {
			return explain(ctx, r, client, err)
		}
		if timer.Stop() {
			result.call = time.Since(start) // of the first answer
		}
		w.begun = true
		result.status = response.GetStatus().String()
		w.change(result, verdict(r, response.GetStatus()))
	}
	return nil
}

// change prints a line, unless it says the same as the last one.
func (w *watcher) change(a answer, err error) {
	what := a.status
	if what == "" && err != nil {
		what = err.Error()
	}
	if what == w.last {
		return
	}
	w.last, w.lastErr = what, err
	w.written = w.printer.printChange(a, err)
}
