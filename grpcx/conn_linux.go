package grpcx

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/mem"
)

// wrapConn wraps an accepted connection. grpc-go sets TCP_USER_TIMEOUT and
// reads without pinning a buffer only on the concrete types of package net, so
// the wrapper does both for it.
func wrapConn(raw net.Conn, table *connTable) (net.Conn, *conn) {
	sc, ok := raw.(syscall.Conn)
	if !ok {
		c := new(conn)
		c.init(raw, table)
		return c, c
	}
	rc, err := sc.SyscallConn()
	if err == nil {
		setUserTimeout(rc, table.userTimeout)
	}
	switch raw.(type) {
	case *net.TCPConn, *net.UnixConn:
		if err == nil && !table.tls {
			c := &readyConn{raw: rc}
			c.init(raw, table)
			c.onReady = c.readNow
			return c, &c.conn
		}
	}
	c := new(conn)
	c.init(raw, table)
	return c, c
}

// setUserTimeout asks for the option on any socket, one that the program's
// listener wrapped too; what is not TCP refuses it. Without the option a
// stalled peer is found by the keepalive ping alone.
func setUserTimeout(rc syscall.RawConn, d time.Duration) {
	_ = rc.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	})
}

// readyConn is a conn that takes its read buffer only once there is something
// to read: an idle connection holds none. grpc-go uses ReadOnReady on any
// connection that has it (its internal/transport/readyreader).
type readyConn struct {
	conn
	raw     syscall.RawConn
	onReady func(fd uintptr) bool // readNow, kept so that a read allocates nothing

	// The read under way; grpc-go has one reader per connection.
	size int
	pool mem.BufferPool
	buf  *[]byte
	n    int
	err  error
}

// ReadOnReady waits until the socket is readable, takes a buffer of size bytes
// from the pool and reads into it. The caller returns the buffer to the pool.
func (c *readyConn) ReadOnReady(size int, pool mem.BufferPool) (*[]byte, int, error) {
	c.size, c.pool = size, pool
	err := c.raw.Read(c.onReady)
	buf, n, readErr := c.buf, c.n, c.err
	c.pool, c.buf, c.n, c.err = nil, nil, 0, nil
	switch {
	case err != nil:
	case readErr != nil:
		err = readErr
	case n == 0:
		err = io.EOF
	default:
		return buf, n, nil
	}
	if buf != nil {
		pool.Put(buf)
	}
	return nil, 0, err
}

// readNow reports false when the socket was not readable after all. It uses
// package syscall, as package net does: the race detector knows its reads.
func (c *readyConn) readNow(fd uintptr) bool {
	c.buf = c.pool.Get(c.size)
	for {
		c.n, c.err = syscall.Read(int(fd), *c.buf)
		if !errors.Is(c.err, syscall.EINTR) {
			break
		}
	}
	if c.err != nil {
		c.pool.Put(c.buf)
		c.buf, c.n = nil, 0
	}
	return !errors.Is(c.err, syscall.EAGAIN)
}
