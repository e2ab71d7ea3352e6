package grpcx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"syscall"

	"google.golang.org/grpc/credentials"

	"github.com/grpcx-go/sdk/tlsx"
)

// serverCreds is the TLS handshake of a server: one read of the source per
// connection. It differs from credentials.NewTLS in that the configuration is
// not cloned for each handshake and that the connection keeps our books.
type serverCreds struct {
	source tlsx.Source
	table  *connTable
}

var errNoH2 = errors.New("grpcx: the client did not offer the ALPN protocol h2, which gRPC needs")

// ServerHandshake runs the handshake. The AuthInfo is exactly a
// credentials.TLSInfo, by value: authorisation code asserts that type.
func (c *serverCreds) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured := tls.Server(raw, c.source.Current().ServerConfig())
	err := secured.HandshakeContext(context.Background()) // bounded by the deadline that grpc-go set
	state := secured.ConnectionState()
	if err == nil && state.NegotiatedProtocol != "h2" {
		err = errNoH2
	}
	if err != nil {
		_ = secured.Close()
		c.table.log().Debug("grpcx: TLS handshake failed",
			slog.String("network.peer.address", raw.RemoteAddr().String()), slog.Any("error", err))
		return nil, nil, err
	}
	info := credentials.TLSInfo{
		State:          state,
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		SPIFFEID:       spiffeID(state),
	}
	tc := &tlsConn{Conn: secured}
	if e, ok := raw.(interface{ entry() *conn }); ok {
		tc.under = e.entry()
	}
	return tc, info, nil
}

// ClientHandshake always fails: these are the credentials of a server.
func (c *serverCreds) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("grpcx: server credentials cannot be used by a client; use tlsx.ClientConfig")
}

// Info describes the protocol.
func (c *serverCreds) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone returns c: it has no state of its own.
func (c *serverCreds) Clone() credentials.TransportCredentials { return c }

// OverrideServerName always fails: a server has no server name to expect.
func (c *serverCreds) OverrideServerName(name string) error {
	return fmt.Errorf("grpcx: server credentials expect no server name, got %q", name)
}

// spiffeID returns the peer's SPIFFE ID as credentials.NewTLS finds it: the
// only URI of the leaf, with the scheme spiffe.
func spiffeID(state tls.ConnectionState) *url.URL {
	if len(state.PeerCertificates) == 0 {
		return nil
	}
	uris := state.PeerCertificates[0].URIs
	if len(uris) != 1 || uris[0].Scheme != "spiffe" || uris[0].Host == "" || uris[0].Path == "" {
		return nil
	}
	id := *uris[0]
	return &id
}

// tlsConn is a TLS connection that finds the GOAWAY frames written to it.
type tlsConn struct {
	*tls.Conn
	under  *conn // nil when the connection is not in the books
	frames frameScanner
}

func (c *tlsConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if c.frames.scan(p[:n]) && c.under != nil {
		c.under.table.goAway(c.under)
	}
	return n, err
}

// SyscallConn gives access to the socket, for options and channelz.
func (c *tlsConn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.NetConn().(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
