//go:build linux

package grpcx

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/mem"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// readCounter counts the reads that grpc-go makes of a plaintext connection.
type readCounter struct {
	*readyConn
	ready, plain *atomic.Int64
}

func (c readCounter) ReadOnReady(size int, pool mem.BufferPool) (*[]byte, int, error) {
	c.ready.Add(1)
	return c.readyConn.ReadOnReady(size, pool)
}

func (c readCounter) Read(p []byte) (int, error) {
	c.plain.Add(1)
	return c.readyConn.Read(p)
}

type readCounterListener struct {
	net.Listener
	t            *testing.T
	ready, plain atomic.Int64
}

func (l *readCounterListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	rc, ok := c.(*readyConn)
	if !ok {
		l.t.Errorf("a plaintext TCP connection became a %T, want *readyConn", c)
		return c, nil
	}
	return readCounter{rc, &l.ready, &l.plain}, nil
}

func TestGRPCReadsWhenReady(t *testing.T) {
	counter := &readCounterListener{t: t}
	b := newBooks(t, false, func(lis net.Listener) net.Listener { counter.Listener = lis; return counter })
	conn := b.peer(t)
	begin, plain := counter.ready.Load(), counter.plain.Load()
	fr := http2.NewFramer(conn, conn)
	for i := range 3 {
		assert.NoError(t, fr.WritePing(false, [8]byte{byte(i)}))
		_, err := fr.ReadFrame()
		assert.NoError(t, err)
	}
	if counter.ready.Load() < begin+3 || counter.plain.Load() != plain {
		t.Errorf("grpc-go made %d reads by ReadOnReady and %d by Read; idle connections pin their buffer unless it uses ReadOnReady: re-read conn_linux.go against internal/transport/readyreader",
			counter.ready.Load()-begin, counter.plain.Load()-plain)
	}
}

// The socket is reachable through our wrappers, plaintext and TLS.
func TestSyscallConn(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	defer lis.Close()
	certs, err := devcert.New()
	assert.NoError(t, err)
	table := newConnTable(-1, 7*time.Second, true, slog.Default)
	wrapped := &listener{lis, table}
	for _, overTLS := range []bool{false, true} {
		table.tls = overTLS
		config := tlsx.ClientConfig(certs.ClientSource(), tlsx.ServerName("localhost"))
		config.NextProtos = []string{"h2"}
		var dialled sync.WaitGroup
		dialled.Go(func() {
			raw, err := net.Dial("tcp", lis.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer raw.Close()
			if overTLS {
				if err := tls.Client(raw, config).HandshakeContext(context.Background()); err != nil {
					t.Error(err)
				}
			}
			_, _ = io.Copy(io.Discard, raw)
		})
		c, err := wrapped.Accept()
		assert.NoError(t, err)
		socket := c
		if overTLS {
			creds := &serverCreds{source: certs.ServerSource(), table: table}
			socket, _, err = creds.ServerHandshake(c)
			assert.NoError(t, err)
			assert.Equal(t, socket.RemoteAddr(), c.RemoteAddr())
		}
		rc, err := socket.(syscall.Conn).SyscallConn()
		assert.NoError(t, err)
		var addr syscall.Sockaddr
		assert.NoError(t, rc.Control(func(fd uintptr) { addr, err = syscall.Getpeername(int(fd)) }))
		assert.NoError(t, err)
		assert.Equal(t, addr.(*syscall.SockaddrInet4).Port, c.RemoteAddr().(*net.TCPAddr).Port)
		assert.Equal(t, table.open(), 1)
		_ = c.Close()
		assert.Equal(t, table.open(), 0)
		dialled.Wait()
	}
	none := new(conn)
	near, far := net.Pipe()
	defer far.Close()
	defer near.Close()
	none.init(near, table)
	_, err = none.SyscallConn()
	assert.ErrorContains(t, err, "unsupported")
}
