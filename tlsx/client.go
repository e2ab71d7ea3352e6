package tlsx

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

var (
	errNotClient  = errors.New("tlsx: the snapshot is a server's; load it with Usage: tlsx.ForClient or tlsx.ForBoth to connect with it")
	errNoIdentity = errors.New("tlsx: no server identity is expected; pass tlsx.ServerName(name) or tlsx.ServerMatching(matcher) to ClientConfig")
)

// A ServerIdentity says which server a client expects. The zero value expects
// none and refuses every handshake.
type ServerIdentity struct {
	name  string // canonical: no final dot, no brackets
	match Matcher
	err   error
}

// ServerName expects a server whose certificate is valid for the DNS name or IP
// address. A name without a certificate's wildcard, scheme or port is wanted:
// anything else is refused at the handshake.
func ServerName(name string) ServerIdentity {
	canonical := strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if addr, err := netip.ParseAddr(canonical); err == nil {
		if addr.Zone() != "" {
			return ServerIdentity{err: fmt.Errorf("tlsx: server name %q has a zone, which no certificate holds; leave the zone out", name)}
		}
		return ServerIdentity{name: addr.Unmap().String()}
	}
	canonical = strings.TrimSuffix(name, ".")
	if !validDNSName(canonical) {
		return ServerIdentity{err: fmt.Errorf("tlsx: server name %q is neither a DNS name nor an IP address; leave out scheme, port and wildcard", name)}
	}
	return ServerIdentity{name: canonical}
}

// ServerMatching expects a server whose certificate the matcher allows, such as
// one with the SPIFFE ID of AllowSPIFFEID, whatever the name it was dialled by.
func ServerMatching(match Matcher) ServerIdentity {
	if err := match.check(); err != nil {
		return ServerIdentity{err: fmt.Errorf("tlsx: the matcher of the server cannot be used: %w", err)}
	}
	return ServerIdentity{match: match}
}

// String returns the expected name or matcher, or "none".
func (id ServerIdentity) String() string {
	switch {
	case id.name != "":
		return id.name
	case len(id.match.terms) > 0:
		return id.match.String()
	}
	return "none"
}

func (id ServerIdentity) check(leaf *x509.Certificate) error {
	switch {
	case id.err != nil:
		return id.err
	case id.name != "":
		return leaf.VerifyHostname(id.name)
	case len(id.match.terms) == 0:
		return errNoIdentity
	case !newAuthorizer(id.match).allows(leaf):
		return fmt.Errorf("its certificate (%s) is not one that %s allows", subjectOf(leaf), id.match)
	}
	return nil
}

// validDNSName accepts the names that crypto/x509 matches against patterns.
// Any other it compares as text, so that "*.example.com" would match itself.
func validDNSName(name string) bool {
	if len(name) == 0 || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			switch {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			default:
				return false
			}
		}
	}
	return true
}

// ClientConfig returns a configuration for the client side of mutual TLS, such
// as for credentials.NewTLS. Own certificate and CA bundle are read from
// source.Current at each handshake and so follow its rotation; the snapshot's
// usage must be [ForClient] or [ForBoth]. The server must prove to be the one
// expected: a chain to the CA bundle (never to the roots of the system), the
// serverAuth usage, the name. The configuration is the caller's.
//
// The checks run in VerifyConnection, on resumed sessions too. There is no
// session cache; a caller that sets ClientSessionCache stays safe, but the
// server then knows it by the certificate of the first handshake until the
// ticket ends. VerifiedChains stays empty on this side, so [PeerIdentity]
// reports no identity for a server.
//
// With grpc.NewClient the name is also the authority of the calls; with
// [ServerMatching] that is the address dialled.
func ClientConfig(source Source, server ServerIdentity) *tls.Config {
	cfg := baseConfig()
	cfg.ServerName = server.name
	// The roots may change between handshakes, and RootCAs cannot: crypto/tls
	// leaves the verification to VerifyConnection, which is never skipped.
	cfg.InsecureSkipVerify = true // VerifyConnection verifies chain, usage and name
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		return current(source).verifyServer(server, state, time.Now())
	}
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		s := current(source)
		if err := s.mayConnect(); err != nil {
			return nil, err
		}
		// Sent even if the server names other CAs: its refusal tells more than
		// the lack of a certificate would.
		return s.cert(), nil
	}
	return cfg
}

func (s *Snapshot) mayConnect() error {
	switch {
	case s.cert == nil:
		return errEmpty
	case !s.usage.client():
		return errNotClient
	}
	return nil
}

func (s *Snapshot) verifyServer(want ServerIdentity, state tls.ConnectionState, at time.Time) error {
	if err := s.mayConnect(); err != nil {
		return err
	}
	if _, err := s.verifyPeer(serverPeer, state, nil, at); err != nil {
		return err
	}
	if err := want.check(state.PeerCertificates[0]); err != nil {
		return refuse(PeerNotAllowed, "the server is not the one expected: %w",
			&tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err})
	}
	return nil
}
