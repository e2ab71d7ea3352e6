package grpcx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/grpcx-go/sdk/tlsx"
)

// serverCreds is the TLS handshake of a server: one read of the source per
// connection. It differs from credentials.NewTLS in that the configuration is
// not cloned for each handshake and that the connection keeps our books.
type serverCreds struct {
	source tlsx.Source
	table  *connTable
	keeper *trustKeeper
}

var errNoH2 = errors.New("grpcx: the client did not offer the ALPN protocol h2, which gRPC needs")

// ServerHandshake runs the handshake. The AuthInfo is exactly a
// credentials.TLSInfo, by value: authorisation code asserts that type.
func (c *serverCreds) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	start := time.Now()
	snapshot := c.source.Current()
	secured := tls.Server(raw, snapshot.ServerConfig())
	err := secured.HandshakeContext(context.Background()) // bounded by the deadline that grpc-go set
	state := secured.ConnectionState()
	if err == nil && state.NegotiatedProtocol != "h2" {
		err = errNoH2
	}
	if err != nil {
		return nil, nil, c.fail(secured, start, err)
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
	if tc.under != nil && c.keeper != nil {
		if err := c.keeper.track(tc, snapshot, state); err != nil {
			return nil, nil, c.fail(secured, start, err)
		}
		c.keeper.measure(start, handshakeOutcome(state.DidResume))
	}
	return tc, info, nil
}

func (c *serverCreds) fail(conn *tls.Conn, start time.Time, err error) error {
	_ = conn.Close()
	if c.keeper != nil {
		c.keeper.refuse(err)
		c.keeper.measure(start, reasonName(tlsx.RefusalReason(err)))
	}
	c.table.log().Debug("grpcx: TLS handshake failed",
		slog.String("network.peer.address", conn.RemoteAddr().String()),
		slog.String("reason", string(tlsx.RefusalReason(err))), slog.Any("error", err))
	return err
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
