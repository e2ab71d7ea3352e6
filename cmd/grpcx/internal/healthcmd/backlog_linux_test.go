package healthcmd_test

import (
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
)

// A full backlog drops what would open a connection, as a firewall does.
func TestDroppedConnection(t *testing.T) {
	t.Parallel()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	assert.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	assert.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	assert.NoError(t, syscall.Listen(fd, 0))
	name, err := syscall.Getsockname(fd)
	assert.NoError(t, err)
	addr := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for full := false; !full; {
		conn, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
		if full = err != nil; !full {
			t.Cleanup(func() { _ = conn.Close() })
		}
	}
	for _, flags := range [][]string{nil, {"--tls"}, {"--watch"}} {
		got := run(t, append([]string{addr, "--timeout", "300ms"}, flags...)...)
		got.wantError(t, 5, "no connection within 300ms", "firewalls")
		within(t, got.took, 300*time.Millisecond)
	}
}
