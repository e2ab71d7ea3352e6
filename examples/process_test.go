package examples_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// limit bounds whatever a test waits for.
const limit = 30 * time.Second

// addrsEach is how many addresses one example may need.
const addrsEach = 4

// example is one example under test, on addresses of its own.
type example struct {
	row
	bins                    string // where the built examples are
	dir                     string // working directory of its processes
	addr, probe, admin, web string
	delay                   string // Drain.Delay; long where the test looks into it
}

func newExample(t *testing.T, r row, bins string, addrs []string) *example {
	return &example{row: r, bins: bins, dir: t.TempDir(), addr: addrs[0], probe: addrs[1], admin: addrs[2], web: addrs[3], delay: "200ms"}
}

// own puts the example's addresses in place of those of README.md.
func (e *example) own(command string) string {
	return strings.NewReplacer("127.0.0.1:50051", e.addr, "127.0.0.1:8086", e.probe,
		"127.0.0.1:6060", e.admin, "127.0.0.1:8080", e.web).Replace(command)
}

// certs are the development certificates that the example makes.
func (e *example) certs(t *testing.T) *devcert.Authority {
	t.Helper()
	certs, err := devcert.Dir(filepath.Join(e.dir, "certs"))
	assert.NoError(t, err)
	return certs
}

// start runs a command of README.md, of the form
// "NAME=value go -C examples run ./example -flag", with further flags.
func (e *example) start(t *testing.T, command string, flags ...string) *process {
	t.Helper()
	words := strings.Fields(e.own(command))
	env := append(os.Environ(), "APP_GRPC_ADDR="+e.addr, "APP_GRPC_DRAIN_DELAY="+e.delay)
	for strings.Contains(words[0], "=") {
		env, words = append(env, words[0]), words[1:]
	}
	if len(words) < 5 || !slices.Equal(words[:4], []string{"go", "-C", "examples", "run"}) {
		t.Fatalf("%q does not run an example", command)
	}
	p := &process{cmd: exec.Command(filepath.Join(e.bins, words[4]), append(words[5:], flags...)...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = e.dir, env
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	assert.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("output of %q:\n%s", command, p.out.String())
		}
	})
	return p
}

// process is a running example.
type process struct {
	cmd  *exec.Cmd
	out  output
	done chan struct{} // closed when it has ended
	err  error         // what it ended with
}

// terminate asks the process to stop.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	assert.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
}

// ends waits for the process to exit with 0.
func (p *process) ends(t *testing.T) {
	t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		assert.NoError(t, p.err, p.cmd.Path)
	case <-timer.C:
		t.Fatalf("%s did not end within %v", p.cmd.Path, limit)
	}
}

// interrupt is Ctrl-C.
func (p *process) interrupt(t *testing.T) {
	t.Helper()
	assert.NoError(t, p.cmd.Process.Signal(os.Interrupt))
}

// stop is terminate and ends.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.terminate(t)
	p.ends(t)
}

// output is what a process wrote. It is safe for concurrent use.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// build builds the examples, all in one run of the go command.
func build(t *testing.T, rows []row) (bins string) {
	t.Helper()
	bins = t.TempDir()
	args := []string{"build", "-ldflags=-s -w", "-o", bins + string(filepath.Separator)}
	for _, r := range rows {
		args = append(args, "./"+r.name)
	}
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	assert.NoError(t, err, string(out))
	return bins
}

// freeAddrs finds loopback addresses that nobody listens on.
func freeAddrs(t *testing.T, n int) []string {
	t.Helper()
	addrs := make([]string, n)
	for i := range addrs {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		assert.NoError(t, err)
		defer lis.Close() // all at once, so that none is found twice
		addrs[i] = lis.Addr().String()
	}
	return addrs
}

// waitFor polls a condition and fails the test when it does not come true.
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
