package e2e_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/certscmd"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/leak"
	"github.com/grpcx-go/sdk/tlsx"
)

// limit bounds whatever a test waits for.
const limit = 30 * time.Second

// commandEnv makes the test binary the command line.
const commandEnv = "GRPCX_E2E_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(commandEnv) != "" {
		os.Exit(command())
	}
	leak.Main(m)
}

func command() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return cli.Run(ctx, cli.System(), os.Args[1:], certscmd.New)
}

// certs runs "grpcx certs".
func certs(t *testing.T, args ...string) {
	t.Helper()
	var out bytes.Buffer
	code := cli.Run(t.Context(), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out}, append([]string{"certs"}, args...), certscmd.New)
	if code != 0 {
		t.Fatalf("certs %s: exit code %d\n%s", strings.Join(args, " "), code, out.String())
	}
}

func files(dir string, usage tlsx.Usage) tlsx.Files {
	return tlsx.Files{
		Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"),
		ClientCA: filepath.Join(dir, "ca.crt"), Usage: usage,
	}
}

// A process runs beside the test.
type process struct {
	cmd      *exec.Cmd
	out, err bytes.Buffer // not before it has ended
	done     chan struct{}
	result   error
}

func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, &p.err
	assert.NoError(t, cmd.Start())
	go func() {
		defer close(p.done)
		p.result = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%s:\n%s%s", cmd, p.out.String(), p.err.String())
		}
	})
	return p
}

// stop sends SIGTERM and wants exit code 0.
func (p *process) stop(t *testing.T) {
	t.Helper()
	assert.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		assert.NoError(t, p.result, p.cmd.String(), p.err.String())
	case <-timer.C:
		t.Fatalf("%s did not end within %v", p.cmd, limit)
	}
}

func waitFor(t *testing.T, what string, met func() bool) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s did not come within %v", what, limit)
		}
	}
}
