package migrate_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// program is a directory with a main package.
type program struct {
	dir     string
	column  string            // of the table that says how it behaves,
	differs map[string]string // but for these rows
	mutual  bool              // it serves mutual TLS
	// configure returns the arguments and the environment that make it listen on
	// the address, and on free ports for the rest.
	configure func(t *testing.T, addr string, files tlsx.Files) (args, env []string)
	// also is what else has to hold of it.
	also func(t *testing.T, p *process)
}

const frameworks = "testdata/frameworks/" // a module of its own

func (p program) heavy() bool { return strings.HasPrefix(p.dir, frameworks) }

var built struct {
	sync.Mutex
	dir string
}

// build builds the program, without the race detector of the test.
func (p program) build(t *testing.T) (binary string) {
	t.Helper()
	if os.Getenv("GRPCX_FRAMEWORKS") == "" {
		t.Skip("runs with `make test-migrate`: compiling the programs takes minutes")
	}
	module, pkg := ".", p.dir
	if p.heavy() {
		module, pkg = frameworks, strings.TrimPrefix(p.dir, frameworks)
	}
	built.Lock()
	defer built.Unlock()
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "migrate")
		assert.NoError(t, err)
		built.dir = dir
	}
	binary = filepath.Join(built.dir, strings.ReplaceAll(p.dir, "/", "-"))
	cmd := exec.Command("go", "build", "-C", module, "-buildvcs=false", "-ldflags=-s -w", "-o", binary, "./"+pkg)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, string(out))
	return binary
}

// process is a program that serves.
type process struct {
	*exec.Cmd
	ended  chan struct{} // closed when it has ended
	addr   string
	args   []string
	conn   *grpc.ClientConn
	client greet.GreeterClient
}

// start runs the program until it answers. It is killed at the end of the test.
func (p program) start(t *testing.T, binary string) *process {
	t.Helper()
	certs, err := devcert.Dir(t.TempDir())
	assert.NoError(t, err)
	run := &process{ended: make(chan struct{}), addr: freeAddr(t)}
	args, env := p.configure(t, run.addr, certs.ServerFiles())
	run.args = slices.Concat(args, env)
	run.Cmd = exec.Command(binary, args...)
	run.Env = append(os.Environ(), env...)
	var output strings.Builder
	run.Stdout, run.Stderr = &output, &output
	assert.NoError(t, run.Start())
	go func() { defer close(run.ended); _ = run.Wait() }()
	t.Cleanup(func() {
		_ = run.Process.Kill()
		<-run.ended
		if t.Failed() {
			t.Logf("%s %v: %v\n%s", p.dir, args, run.ProcessState, output.String())
		}
	})

	creds := insecure.NewCredentials()
	if p.mutual {
		creds = credentials.NewTLS(tlsx.ClientConfig(certs.ClientSource(), tlsx.ServerName("localhost")))
	}
	run.conn, err = grpc.NewClient("passthrough:///"+run.addr, grpc.WithTransportCredentials(creds),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.2, MaxDelay: 100 * time.Millisecond},
			MinConnectTimeout: 5 * time.Second,
		}))
	assert.NoError(t, err)
	t.Cleanup(func() { _ = run.conn.Close() })
	run.client = greet.NewGreeterClient(run.conn)
	_, err = run.client.Greet(patience(t), &greet.GreetRequest{Name: "Ada"}, grpc.WaitForReady(true))
	assert.NoError(t, err, p.dir+" serves")
	return run
}

// patience ends a minute later; unlike a deadline, the server does not see it.
func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	timer := time.AfterFunc(time.Minute, cancel)
	t.Cleanup(func() { timer.Stop(); cancel() })
	return ctx
}

// endsWithin reports whether the process ends in time.
func (p *process) endsWithin(d time.Duration) bool {
	select {
	case <-p.ended:
		return true
	case <-time.After(d):
		return false
	}
}

// freeAddr returns an address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	defer lis.Close()
	return lis.Addr().String()
}
