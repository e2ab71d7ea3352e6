package grpcx_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// userTimeout reads TCP_USER_TIMEOUT of a socket.
func userTimeout(t *testing.T, conn net.Conn) (timeout time.Duration) {
	t.Helper()
	rc, err := conn.(syscall.Conn).SyscallConn()
	assert.NoError(t, err)
	var ms int
	assert.NoError(t, rc.Control(func(fd uintptr) {
		ms, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
	}))
	assert.NoError(t, err)
	return time.Duration(ms) * time.Millisecond
}

// grpc-go sets TCP_USER_TIMEOUT on a bare *net.TCPConn only; through our
// wrapper, and through a wrapper of the program's that shows its socket, it is
// set too.
func TestUserTimeout(t *testing.T) {
	for _, via := range []network{plaintext, overTLS} {
		for _, wrapped := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, wrapped by the program %v", via, wrapped), func(t *testing.T) {
				tcp, err := net.Listen("tcp", "127.0.0.1:0")
				assert.NoError(t, err)
				lis := &keepingListener{Listener: tcp}
				if wrapped {
					lis.Listener = &socketListener{tcp}
				}
				srv := newTarget(t, via, &service{}, grpcx.WithListener(lis),
					grpcx.WithKeepalive(grpcx.Keepalive{Timeout: 4321 * time.Millisecond}))
				conn, err := srv.dialTo(tcp.Addr().String())
				assert.NoError(t, err)
				c := newRawClient(t, conn)
				assert.Equal(t, c.finalCall(), "status 0")
				lis.mu.Lock()
				defer lis.mu.Unlock()
				assert.Equal(t, len(lis.conns), 1)
				assert.Equal(t, userTimeout(t, lis.conns[0]), 4321*time.Millisecond)
			})
		}
	}
}

// socketListener wraps what it accepts as a program does that counts bytes.
type socketListener struct{ net.Listener }

type socketConn struct{ *net.TCPConn }

func (l *socketListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &socketConn{conn.(*net.TCPConn)}, nil
}

const (
	idleConns = 1000 / slowdown
	// idleExtra is what an idle connection may cost above grpc-go's own.
	idleExtra = 5 << 10
)

// Idle plaintext connections cost little more than in bare grpc-go: they pin
// no read buffer. Each server runs in a process of its own.
func TestIdleConnectionMemory(t *testing.T) {
	figure := func(name string) int {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestIdleConnectionChild$", "-test.v", "-test.timeout=60s")
		cmd.Env = append(os.Environ(), idleChildEnv+"="+name)
		out, err := cmd.CombinedOutput()
		m := regexp.MustCompile(`(\d+) bytes per connection`).FindSubmatch(out)
		if err != nil || m == nil {
			t.Fatalf("the child failed: %v\n%s", err, out)
		}
		n, err := strconv.Atoi(string(m[1]))
		assert.NoError(t, err)
		return n
	}
	bare, ours := figure("bare"), figure("grpcx")
	t.Logf("an idle plaintext connection costs %d bytes in bare grpc-go and %d here (client's end included)", bare, ours)
	if ours > bare+idleExtra {
		t.Errorf("an idle connection costs %d bytes, bare grpc-go's %d; want at most %d more", ours, bare, idleExtra)
	}
}

const idleChildEnv = "GRPCX_TEST_IDLE_CHILD"

func TestIdleConnectionChild(t *testing.T) {
	var addr string
	switch os.Getenv(idleChildEnv) {
	case "bare":
		addr = bareServer(t, &service{}, nil)
	case "grpcx":
		addr = newTarget(t, plaintext, &service{}).Addrs()[0].String()
	default:
		t.Skip("runs in a child of TestIdleConnectionMemory")
	}
	connect(t, addr) // the first pays for what all share
	before := inUse()
	for range idleConns {
		connect(t, addr)
	}
	t.Logf("%d bytes per connection", (inUse()-before)/idleConns)
}

// inUse is the memory in use once what is garbage is gone.
func inUse() int {
	for range 3 { // pools give up their buffers at the second collection
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}

// connect opens a connection, sees that it is served, and leaves it idle. The
// client's end is one socket.
func connect(t *testing.T, addr string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	assert.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	var hello bytes.Buffer
	hello.WriteString(http2.ClientPreface)
	fr := http2.NewFramer(&hello, conn)
	assert.NoError(t, fr.WriteSettings())
	assert.NoError(t, fr.WriteSettingsAck())
	assert.NoError(t, fr.WritePing(false, [8]byte{}))
	_, err = io.Copy(conn, &hello)
	assert.NoError(t, err)
	for {
		f, err := fr.ReadFrame()
		assert.NoError(t, err)
		if p, ok := f.(*http2.PingFrame); ok && p.IsAck() {
			return
		}
	}
}
