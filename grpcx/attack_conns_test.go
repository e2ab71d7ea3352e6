//go:build unix

package grpcx_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
)

func TestMaxConnections(t *testing.T) {
	for _, via := range []network{plaintext, overTLS} {
		t.Run(string(via), func(t *testing.T) {
			const limit = 4
			srv := newTarget(t, via, &service{}, grpcx.WithLimits(grpcx.Limits{MaxConnections: limit}))
			var clients []*rawClient
			for range limit - 1 { // the honest client has one
				clients = append(clients, srv.attack(t))
			}
			for range 20 {
				conn, err := net.Dial("tcp", srv.Addrs()[0].String())
				assert.NoError(t, err)
				assert.True(t, closedAtOnce(t, conn), "the connection above the limit was not closed")
			}
			const line = "too many connections"
			assert.Equal(t, len(srv.logs.lines(line)), 1, "log lines:")
			assert.Contains(t, srv.logs.lines(line)[0], "level=WARN", "open=4", "MaxConnections")
			srv.serves(t)
			assert.Equal(t, clients[0].finalCall(), "status 0")

			clients[0].close()
			waitFor(t, "the end of one connection", func() bool { return srv.OpenConns() == limit-1 })
			assert.Equal(t, srv.attack(t).finalCall(), "status 0")
			srv.serves(t)
		})
	}
}

// At the limit, connections that come and go do not fill the log.
func TestMaxConnectionsLog(t *testing.T) {
	const limit, rounds = 2, 50
	srv := newTarget(t, plaintext, &service{}, grpcx.WithLimits(grpcx.Limits{MaxConnections: limit}))
	begin := time.Now()
	for range rounds {
		c := srv.attack(t)
		conn, err := srv.dial()
		assert.NoError(t, err)
		assert.True(t, closedAtOnce(t, conn), "the connection above the limit was not closed")
		c.close()
		waitFor(t, "the end of a connection", func() bool { return srv.OpenConns() == limit-1 })
	}
	lines, most := len(srv.logs.lines("too many connections")), 1+int(time.Since(begin)/time.Second)
	if lines < 1 || lines > most {
		t.Errorf("%d log lines for %d rounds, want at least 1 and at most %d: one a second", lines, rounds, most)
	}
}

// asChild runs this test again in a process of its own, for what it changes
// there, and reports false; in the child it reports true.
func asChild(t *testing.T) bool {
	t.Helper()
	const env = "GRPCX_TEST_CHILD"
	if os.Getenv(env) == t.Name() {
		return true
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), env+"="+t.Name())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("the child failed: %v\n%s", err, out)
	} else if testing.Verbose() {
		t.Logf("%s", out)
	}
	return false
}

// countingListener counts the accepts that failed.
type countingListener struct {
	net.Listener
	failed atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		l.failed.Add(1)
	}
	return conn, err
}

// Without file descriptors the server goes on with the connections it has,
// says so once, and accepts again when there are some.
func TestAcceptWithoutFiles(t *testing.T) {
	if !asChild(t) {
		return
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	lis := &countingListener{Listener: tcp}
	srv := newTarget(t, plaintext, &service{}, grpcx.WithListener(lis))
	const line = "cannot accept connections"

	for round := range 2 {
		files := takeAllFiles(t)
		files[0].Close() // for the client's end
		files = files[1:]
		begin := lis.failed.Load()
		dialled, err := net.Dial("tcp", tcp.Addr().String())
		assert.NoError(t, err)
		waitFor(t, "several failed accepts", func() bool { return lis.failed.Load() >= begin+4 })
		if n := len(srv.logs.lines(line)); n < 1 || n > 1+round {
			t.Errorf("%d log lines in round %d", n, round)
		}
		srv.serves(t)

		for _, f := range files {
			f.Close()
		}
		c := newRawClient(t, dialled)
		assert.Equal(t, c.finalCall(), "status 0")
		srv.serves(t)
	}
	lines := srv.logs.lines(line)
	assert.Contains(t, lines[0], "level=ERROR", "too many open files")

	cc := srv.grpc(t)
	_, err = testgrpc.NewTestServiceClient(cc).EmptyCall(context.Background(), &testgrpc.Empty{})
	assert.NoError(t, err)
}

// takeAllFiles leaves the process without a free file descriptor.
func takeAllFiles(t *testing.T) []*os.File {
	t.Helper()
	var limit syscall.Rlimit
	assert.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	limit.Cur = min(limit.Cur, 128)
	assert.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	var files []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			assert.ErrorIs(t, err, syscall.EMFILE)
			return files
		}
		files = append(files, f)
	}
}
