package healthcmd

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
)

// An attempt records how far one connection came, which grpc-go's errors say
// only as text.
type attempt struct {
	request *request

	mu         sync.Mutex
	connected  bool                 // the transport connection stands
	first      []byte               // what the peer said first, not decrypted
	dialErr    error                // of the transport connection
	tlsErr     error                // of the handshake
	ioErr      error                // the first one after both
	handshaken *tls.ConnectionState // after the handshake
	asked      bool                 // the server asked for a client certificate
	answered   bool                 // there were bytes after connection and handshake
}

// firstBytes are enough to tell TLS, HTTP/1 and SSH from HTTP/2.
const firstBytes = 24

// update changes the record.
func (a *attempt) update(change func(*attempt)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(a)
}

// tlsState returns what the handshake agreed on, nil in plaintext.
func (a *attempt) tlsState() *tls.ConnectionState {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.handshaken
}

// dial connects. The keepalive of TCP finds a peer that vanished during --watch
// within half a minute, without HTTP/2 pings, of which servers allow few.
func (a *attempt) dial(ctx context.Context, _ string) (net.Conn, error) {
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}
	conn, err := dialer.DialContext(ctx, a.request.target.network, a.request.target.address)
	a.update(func(a *attempt) { a.connected, a.dialErr = err == nil, err })
	if err != nil {
		return nil, err
	}
	if a.request.tls == nil {
		return &recordedConn{Conn: conn, attempt: a, wire: true, calls: true}, nil
	}
	return &recordedConn{Conn: conn, attempt: a, wire: true}, nil
}

// credentials returns credentials for TLS that record the handshake.
func (a *attempt) credentials() credentials.TransportCredentials {
	config := a.request.tls.config.Clone()
	own := config.Certificates
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		a.update(func(a *attempt) { a.asked = true })
		if len(own) == 0 {
			return &tls.Certificate{}, nil
		}
		// Sent even if the server names other CAs: its refusal tells more than
		// the lack of a certificate would.
		return &own[0], nil
	}
	return &recordedTLS{TransportCredentials: credentials.NewTLS(config), attempt: a}
}

type recordedTLS struct {
	credentials.TransportCredentials
	attempt *attempt
}

// ClientHandshake performs the handshake and records how it ended.
func (c *recordedTLS) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		c.attempt.update(func(a *attempt) { a.tlsErr = err })
		return nil, nil, err
	}
	if tlsInfo, ok := info.(credentials.TLSInfo); ok {
		c.attempt.update(func(a *attempt) { a.handshaken = &tlsInfo.State })
	}
	return &recordedConn{Conn: conn, attempt: c.attempt, calls: true}, info, nil
}

// Clone is called by grpc-go for every channel.
func (c *recordedTLS) Clone() credentials.TransportCredentials {
	return &recordedTLS{TransportCredentials: c.TransportCredentials.Clone(), attempt: c.attempt}
}

// A recordedConn records what goes by: on the wire, where the calls are, or
// both in plaintext.
type recordedConn struct {
	net.Conn
	attempt     *attempt
	wire, calls bool
}

func (c *recordedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.attempt.update(func(a *attempt) {
		if missing := firstBytes - len(a.first); c.wire && missing > 0 {
			a.first = append(a.first, p[:min(n, missing)]...)
		}
		if c.calls && n > 0 {
			a.answered = true
		}
	})
	c.failed(err)
	return n, err
}

func (c *recordedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.failed(err)
	return n, err
}

func (c *recordedConn) failed(err error) {
	if err == nil || !c.calls {
		return
	}
	c.attempt.update(func(a *attempt) {
		if a.ioErr == nil {
			a.ioErr = err
		}
	})
}
