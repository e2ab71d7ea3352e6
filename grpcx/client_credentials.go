package grpcx

import (
	"context"
	"errors"
	"net"
	"syscall"

	"google.golang.org/grpc/credentials"

	"github.com/grpcx-go/sdk/tlsx"
)

// ClientCredentials are the transport credentials of a gRPC client with mutual
// TLS that follow their source, see [tlsx.ClientConfig]. When the client's own
// certificate or the CAs change, each connection drains: new calls go over a
// new connection, made with what is current, and those in flight end on the
// old one. A connection without calls does so after its next one. There is
// nothing to close, and no goroutine.
//
//	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(
//		grpcx.ClientCredentials(reloader, tlsx.ServerName("greeter"))))
func ClientCredentials(source tlsx.Source, server tlsx.ServerIdentity) credentials.TransportCredentials {
	return &clientCreds{credentials.NewTLS(tlsx.ClientConfig(source, server)), source}
}

type clientCreds struct {
	credentials.TransportCredentials
	source tlsx.Source
}

func (c *clientCreds) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	made := c.source.Current()
	conn, info, err := c.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		return nil, nil, err
	}
	return &clientConn{Conn: conn, source: c.source, made: made}, info, nil
}

func (c *clientCreds) Clone() credentials.TransportCredentials {
	return &clientCreds{c.TransportCredentials.Clone(), c.source}
}

// clientConn is a client's connection that tells its own side to go once the
// source has moved on. grpc-go drains a connection when it reads GOAWAY, so
// that is what it reads, between two frames of the server.
type clientConn struct {
	net.Conn
	source tlsx.Source
	made   *tlsx.Snapshot // what the connection was made with

	// Used by grpc-go's one reader.
	frames frameScanner
	insert []byte // what is read next
	told   bool
}

func (c *clientConn) Read(p []byte) (int, error) {
	if len(c.insert) > 0 {
		n := copy(p, c.insert)
		c.insert = c.insert[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p)
	c.frames.scan(p[:n])
	if !c.told && !c.frames.goneAway && c.frames.between() && c.outdated() {
		c.told, c.insert = true, farewell
	}
	return n, err
}

func (c *clientConn) outdated() bool {
	now := c.source.Current()
	return now != c.made && (now.TrustGeneration() != c.made.TrustGeneration() || !now.Leaf().Equal(c.made.Leaf()))
}

// SyscallConn gives access to the socket, for options and channelz.
func (c *clientConn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
