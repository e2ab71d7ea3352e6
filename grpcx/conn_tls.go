package grpcx

import (
	"crypto/tls"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// tlsConn is a TLS connection that finds the GOAWAY frames written to it and
// can be asked to write one of its own: grpc-go has no drain for a single
// connection.
type tlsConn struct {
	*tls.Conn
	under *conn // nil when the connection is not in the books

	mu     sync.Mutex // held while writing
	frames frameScanner
	wanted atomic.Bool // a GOAWAY of ours is wanted
}

// farewell is GOAWAY(2^31-1, NO_ERROR): the client opens no further calls on
// this connection, and those it has opened are served (RFC 9113 section 6.8).
var farewell = []byte{0, 0, 8, frameGoAway, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0}

// farewellLimit bounds the write of a farewell to a peer that does not read.
const farewellLimit = time.Second

func (c *tlsConn) Write(p []byte) (n int, err error) {
	c.mu.Lock()
	n, err = c.writeLocked(p)
	c.mu.Unlock()
	if c.wanted.Load() && err == nil {
		c.sayFarewell() // it was asked for while we wrote
	}
	return n, err
}

func (c *tlsConn) writeLocked(p []byte) (n int, err error) {
	if !c.wanted.Load() {
		return c.write(p)
	}
	// Write up to the next place between frames, where the farewell may stand: a
	// stream of data may never pause at one by itself.
	next := c.frames
	for n < len(p) && !next.between() {
		step, _ := next.step(p[n:])
		n += step
	}
	if n, err = c.write(p[:n]); err != nil {
		return n, err
	}
	c.farewellLocked()
	rest, err := c.write(p[n:])
	return n + rest, err
}

func (c *tlsConn) write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.Conn.Write(p)
	if c.frames.scan(p[:n]) && c.under != nil {
		c.under.table.goAway(c.under)
	}
	return n, err
}

// sayFarewell asks the client to go, now or as soon as grpc-go has written the
// frame that it is in. It does not wait for a write that is under way.
func (c *tlsConn) sayFarewell() {
	c.wanted.Store(true)
	if !c.mu.TryLock() {
		return // who holds it looks again
	}
	defer c.mu.Unlock()
	_ = c.SetWriteDeadline(time.Now().Add(farewellLimit))
	c.farewellLocked()
	_ = c.SetWriteDeadline(time.Time{})
}

// farewellLocked writes the frame if it is wanted and may stand here. After a
// GOAWAY of grpc-go's none may follow: the last stream would seem to rise, which
// a client takes for an error.
func (c *tlsConn) farewellLocked() {
	if !c.wanted.Load() || c.frames.goneAway {
		c.wanted.Store(false)
		return
	}
	if !c.frames.between() {
		return
	}
	c.wanted.Store(false)
	_, _ = c.write(farewell)
}

// SyscallConn gives access to the socket, for options and channelz.
func (c *tlsConn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.NetConn().(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
