package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// process is a server process and the connections to it.
type process struct {
	name    string
	cmd     *exec.Cmd
	ask     io.WriteCloser
	replies *json.Decoder
	conns   []*grpc.ClientConn
}

// startProcess runs this program again as a server.
func startProcess(ctx context.Context, name string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	cmd.Stderr = os.Stderr
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
	p := &process{name: name, cmd: cmd, ask: ask, replies: json.NewDecoder(out)}
	if err := p.connect(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *process) connect() error {
	var h hello
	if err := p.replies.Decode(&h); err != nil {
		return fmt.Errorf("the %s server did not start: %w", p.name, err)
	}
	for range connections {
		conn, err := grpc.NewClient(h.Addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		p.conns = append(p.conns, conn)
	}
	return nil
}

// usage asks the server what it has used so far.
func (p *process) usage(how string) (Usage, error) {
	var u Usage
	if _, err := io.WriteString(p.ask, how+"\n"); err != nil {
		return u, err
	}
	return u, p.replies.Decode(&u)
}

// measure gives the server a chunk of calls.
func (p *process) measure(ctx context.Context, w Workload, calls int) (Sample, error) {
	callers, err := openAll(ctx, w, p.conns)
	if err != nil {
		return Sample{}, err
	}
	calls *= w.times
	before, err := p.usage(readAfterGC)
	if err != nil {
		return Sample{}, err
	}
	if err := drive(callers, calls); err != nil {
		return Sample{}, err
	}
	after, err := p.usage(read)
	if err != nil {
		return Sample{}, err
	}
	return Sample{after.minus(before), calls}, closeAll(callers)
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
