package peers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// Clients in other languages drain as grpc-go's do: each change of trust makes
// one of two servers say GOAWAY to them, while calls are made without pause and
// a stream is open. They move to the other server and lose nothing.
func TestForeignClientsDrain(t *testing.T) {
	if os.Getenv("GRPCX_PEERS") == "" {
		t.Skip("runs with `make peers`: it needs Python's grpcio and Node's @grpc/grpc-js")
	}
	t.Run("C-core", func(t *testing.T) {
		python := "/usr/bin/python3" // the one that python3-grpcio is for
		if out, err := exec.Command(python, "-c", "import grpc").CombinedOutput(); err != nil {
			t.Skipf("no grpcio: %s; on Debian: apt-get install python3-grpcio", bytes.TrimSpace(out))
		}
		drainForeign(t, func(args ...string) *exec.Cmd {
			return exec.Command(python, append([]string{"testdata/client.py"}, args...)...)
		})
	})
	t.Run("grpc-js", func(t *testing.T) {
		dir := t.TempDir()
		install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--prefix", dir, "@grpc/grpc-js@1.14")
		if out, err := install.CombinedOutput(); err != nil {
			t.Skipf("no grpc-js: npm install: %v\n%s", err, out)
		}
		drainForeign(t, func(args ...string) *exec.Cmd {
			cmd := exec.Command("node", append([]string{"testdata/client.js"}, args...)...)
			cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
			return cmd
		})
	})
}

const (
	drains = 10
	limit  = 30 * time.Second
)

// replica is one of two servers, each with files of its own.
type replica struct {
	*grpcxtest.Server
	reloader *tlsx.Reloader
	dir      string
	addr     string
}

func newReplica(t *testing.T, leaf *certtest.Leaf, clients *certtest.CA) *replica {
	t.Helper()
	r := &replica{dir: t.TempDir()}
	cert, key := leaf.Write(t, r.dir, "tls")
	reloader, err := tlsx.NewReloader(tlsx.Files{Cert: cert, Key: key, ClientCA: clients.Write(t, r.dir, "ca.crt")},
		tlsx.WithLogger(slog.New(slog.DiscardHandler)))
	assert.NoError(t, err)
	r.reloader = reloader
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	r.addr = lis.Addr().String()
	r.Server = grpcxtest.New(t, grpcx.WithTLS(reloader), grpcx.WithListener(lis),
		grpcx.WithLogger(slog.New(slog.DiscardHandler)),
		grpcxtest.Services(func(s grpc.ServiceRegistrar) { testgrpc.RegisterTestServiceServer(s, echo{}) }))
	return r
}

// trust replaces the bundle.
func (r *replica) trust(t *testing.T, ca *certtest.CA) {
	t.Helper()
	ca.Write(t, r.dir, "ca.crt")
	result, err := r.reloader.Reload()
	assert.NoError(t, err)
	assert.True(t, result.TrustChanged, "the trust changed")
}

func (r *replica) connections() (n int) {
	status, _ := r.TLSStatus()
	for _, count := range status.Connections {
		n += count
	}
	return n
}

type counts struct {
	Calls, Streams, Messages, Failed int
	Errors                           []string
}

func drainForeign(t *testing.T, command func(...string) *exec.Cmd) {
	servers, clients, others := certtest.NewCA(t, "servers"), certtest.NewCA(t, "clients"), certtest.NewCA(t, "others")
	var replicas [2]*replica
	for i := range replicas {
		replicas[i] = newReplica(t, servers.Issue(t, certtest.Template{}), clients)
	}
	dir := t.TempDir()
	cert, key := clients.Issue(t, certtest.Client).Write(t, dir, "client")
	target := "ipv4:" + replicas[0].addr + "," + replicas[1].addr

	cmd := command(target, servers.Write(t, dir, "ca.crt"), cert, key)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	assert.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	assert.NoError(t, err)
	assert.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewReader(stdout)
	version, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("the client: %v\n%s", err, stderr.String())
	}

	began := time.Now()
	drained := 0
	for drained < drains {
		var from, to *replica
		waitFor(t, "a connection", func() bool {
			a, b := replicas[0].connections(), replicas[1].connections()
			from, to = replicas[0], replicas[1]
			if b > 0 {
				from, to = to, from
			}
			return (a > 0) != (b > 0)
		})
		n := from.connections()
		from.trust(t, others)
		waitFor(t, "the move to the other server", func() bool { return to.connections() > 0 })
		waitFor(t, "the end of the old connection", func() bool { return from.connections() == 0 })
		drained += n
		from.trust(t, clients)
	}
	took := time.Since(began)
	assert.NoError(t, stdin.Close())
	var got counts
	text, err := io.ReadAll(lines)
	assert.NoError(t, err)
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatalf("the client said %q: %v\n%s", text, err, stderr.String())
	}
	t.Logf("%s: %d connections drained in %v under %d calls and %d streams of 60 messages: %d failed",
		strings.TrimSpace(version), drained, took.Round(time.Millisecond), got.Calls, got.Streams, got.Failed)
	if got.Failed > 0 || got.Calls < 100 || got.Streams < 2 || got.Messages != 60*got.Streams {
		t.Errorf("the client counted %+v", got)
	}
}

func waitFor(t *testing.T, what string, met func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s did not come within %v", what, limit)
		}
	}
}
