package grpcx

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// conn is an accepted connection under our books. It keeps what grpc-go looks
// for in a *net.TCPConn: SyscallConn here, TCP_USER_TIMEOUT and reads that pin
// no memory in conn_linux.go.
type conn struct {
	net.Conn
	table  *connTable
	addr   net.Addr     // of the peer, unique to this connection
	frames frameScanner // of plaintext; over TLS, tlsConn scans

	// Guarded by table.mu.
	established bool          // the handshake is over
	goneAway    bool          // a GOAWAY frame was written
	awaited     bool          // counted in table.awaiting
	drained     bool          // draining is closed, or would be
	draining    chan struct{} // made on demand
	peer        *peerRecord   // over TLS, once the handshake is over
}

// uniqueAddr makes an address comparable by identity where the listener's own
// are not pointers.
type uniqueAddr struct{ net.Addr }

func (c *conn) init(raw net.Conn, table *connTable) {
	c.Conn, c.table, c.addr = raw, table, raw.RemoteAddr()
	switch c.addr.(type) {
	case *net.TCPAddr, *net.UnixAddr:
	default:
		c.addr = &uniqueAddr{c.addr}
	}
}

// entry lets the TLS credentials find the conn in what grpc-go hands them.
func (c *conn) entry() *conn { return c }

// RemoteAddr returns the same pointer each time: an RPC finds its connection
// by it.
func (c *conn) RemoteAddr() net.Addr { return c.addr }

// SetDeadline tells how far the connection is: grpc-go sets a deadline before
// the handshake and clears it when the HTTP/2 transport is up (handleRawConn
// in its server.go; pinned by TestGRPCClearsDeadlineAfterHandshake).
func (c *conn) SetDeadline(t time.Time) error {
	if t.IsZero() {
		c.table.establish(c)
	}
	return c.Conn.SetDeadline(t)
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if !c.table.tls && c.frames.scan(p[:n]) {
		c.table.goAway(c)
	}
	return n, err
}

func (c *conn) Close() error {
	c.table.remove(c)
	return c.Conn.Close()
}

// SyscallConn gives access to the socket, for options and channelz.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// listener enters what it accepts into the books.
type listener struct {
	net.Listener
	table *connTable
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			l.table.acceptFailed(err)
			return nil, err
		}
		if c, ok := l.table.admit(raw); ok {
			return c, nil
		}
		_ = raw.Close()
	}
}
