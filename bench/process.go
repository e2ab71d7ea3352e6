package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/grpcx-go/sdk/bench/server"
)

// connections is the number that stay open to each server.
const connections = 4

// process is a server process and the connections to it.
type process struct {
	name    string
	addr    string
	tls     *tls.Config // of clients; nil in plaintext
	cmd     *exec.Cmd
	ask     io.WriteCloser
	replies *replies
	conns   []*grpc.ClientConn
}

func startProcess(ctx context.Context, program string, order server.Order, clientTLS *tls.Config) (*process, error) {
	cmd := exec.CommandContext(ctx, program)
	cmd.Stderr = os.Stderr
	var err error
	if cmd.Env, err = environment(order); err != nil {
		return nil, err
	}
	ask, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{name: order.Stack, tls: clientTLS, cmd: cmd, ask: ask, replies: &replies{order.Stack, bufio.NewReader(out)}}
	if err := p.connect(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *process) connect() error {
	var hello server.Hello
	if err := p.replies.next(&hello); err != nil {
		return fmt.Errorf("the %s server did not start: %w", p.name, err)
	}
	p.addr = hello.Addr
	for range connections {
		conn, err := p.dial()
		if err != nil {
			return err
		}
		p.conns = append(p.conns, conn)
	}
	return nil
}

func (p *process) dial() (*grpc.ClientConn, error) {
	creds := insecure.NewCredentials()
	if p.tls != nil {
		creds = credentials.NewTLS(p.tls.Clone())
	}
	return grpc.NewClient(p.addr, grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
}

// usage asks the server what it has used so far.
func (p *process) usage(how string) (server.Usage, error) {
	var u server.Usage
	if _, err := io.WriteString(p.ask, how+"\n"); err != nil {
		return u, err
	}
	return u, p.replies.next(&u)
}

// measure gives the server a chunk of a load.
func (p *process) measure(ctx context.Context, l Load, calls int) (Sample, error) {
	session, err := l.open(ctx, p)
	if err != nil {
		return Sample{}, err
	}
	sample, err := p.measureSession(session, l, calls)
	return sample, errors.Join(err, session.close())
}

func (p *process) measureSession(session session, l Load, calls int) (Sample, error) {
	first, last := server.ReadAfterGC, server.Read
	if l.memory {
		first, last = server.ReadSettled, server.ReadSettled
	}
	before, err := p.usage(first)
	if err != nil {
		return Sample{}, err
	}
	latencies, err := session.run(calls)
	if err != nil {
		return Sample{}, err
	}
	after, err := p.usage(last)
	if err == nil && (after.CPU < before.CPU || after.Allocs < before.Allocs) {
		err = fmt.Errorf("its counters went back, from %+v to %+v", before, after)
	}
	return Sample{after.Minus(before), calls, latencies}, err
}

// close ends the connections and the process, and waits for its end.
func (p *process) close() error {
	var errs []error
	for _, conn := range p.conns {
		errs = append(errs, conn.Close())
	}
	errs = append(errs, p.ask.Close())
	if err := p.cmd.Wait(); err != nil {
		errs = append(errs, fmt.Errorf("the %s server ended with: %w", p.name, err))
	}
	return errors.Join(errs...)
}
