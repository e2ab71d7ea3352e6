package benchcmd

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// patience is how long the server process may take to start, to answer and to
// end. It is killed after that.
const patience = 20 * time.Second

// process is a server process and the connections to it.
type process struct {
	hello

	cmd     *exec.Cmd
	kill    context.CancelCauseFunc
	ctx     context.Context // ends with the process that was killed
	ask     io.WriteCloser
	replies *json.Decoder
	said    lastLine
	tls     *tls.Config // of clients; nil in plaintext
	conns   []*grpc.ClientConn
}

// startProcess returns when the server has answered a call on each connection.
func startProcess(ctx context.Context, program []string, o order, clientTLS *tls.Config) (*process, error) {
	ctx, kill := context.WithCancelCause(ctx)
	argv := append(slices.Clone(program), "bench", serveName)
	p := &process{cmd: exec.CommandContext(ctx, argv[0], argv[1:]...), kill: kill, ctx: ctx, tls: clientTLS} //nolint:gosec // its own executable
	p.cmd.Stderr = &p.said
	p.cmd.WaitDelay = patience
	in, err := p.cmd.StdinPipe()
	if err != nil {
		kill(nil)
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		kill(nil)
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		kill(nil)
		return nil, fmt.Errorf("the server process could not be started: %w; see that this program may start itself again, under an emulator with %s", err, emulatorVariable)
	}
	p.ask, p.replies = in, json.NewDecoder(out)
	if err := p.connect(o); err != nil {
		return nil, p.explain("did not start", err, p.close())
	}
	return p, nil
}

func (p *process) connect(o order) error {
	if err := p.exchange(o, &p.hello); err != nil {
		return err
	}
	for range connections {
		conn, err := p.dial()
		if err != nil {
			return err
		}
		p.conns = append(p.conns, conn)
		if err := unaryCaller(p.ctx, conn)(); err != nil {
			return err
		}
	}
	return nil
}

// explain says why a process that has ended did not do what it should: it was
// killed, it wrote why, it ended, or something else went wrong.
func (p *process) explain(what string, err, ended error) error {
	said := p.said.String()
	switch cause := context.Cause(p.ctx); {
	case cause != nil && !errors.Is(cause, errEnded):
		err = cause
	case said != "" && errors.Is(err, io.EOF):
		err = errors.New(said)
	case said != "":
		err = fmt.Errorf("%w (it wrote: %s)", err, said)
	case ended != nil && errors.Is(err, io.EOF):
		err = ended
	case ended != nil && !errors.Is(err, ended):
		err = fmt.Errorf("%w (its end: %w)", err, ended)
	}
	return fmt.Errorf("the server process %s: %w; it needs TCP on 127.0.0.1 and a second process", what, err)
}

// errEnded is the cause of a context whose process ended by itself.
var errEnded = errors.New("ended")

func (p *process) dial() (*grpc.ClientConn, error) {
	creds := insecure.NewCredentials()
	if p.tls != nil {
		creds = credentials.NewTLS(p.tls.Clone())
	}
	return grpc.NewClient("passthrough:///"+p.Addr, grpc.WithTransportCredentials(creds), grpc.WithNoProxy())
}

// rawConfig is for connections without a client of grpc.
func (p *process) rawConfig() *tls.Config {
	config := p.tls.Clone()
	config.NextProtos = []string{"h2"}
	return config
}

// watch kills the process when it has not done something within a while.
func (p *process) watch(d time.Duration, what string) (done func() bool) {
	return time.AfterFunc(d, func() { p.kill(fmt.Errorf("it did not %s within %v", what, d)) }).Stop
}

// usage asks the process what it has used so far.
func (p *process) usage(q question) (usage, error) {
	var u usage
	err := p.exchange(q, &u)
	return u, err
}

func (p *process) exchange(request, reply any) error {
	defer p.watch(patience, "answer")()
	err := json.NewEncoder(p.ask).Encode(request)
	// A process that does not read has ended, which its replies tell better.
	return cmp.Or(p.replies.Decode(reply), err)
}

// close ends the connections and the process, and waits for its end.
func (p *process) close() error {
	var errs []error
	for _, conn := range p.conns {
		errs = append(errs, conn.Close())
	}
	errs = append(errs, p.ask.Close())
	done := p.watch(patience, "end")
	errs = append(errs, p.cmd.Wait())
	done()
	p.kill(errEnded)
	return cmp.Or(errs...)
}
