package tlsx

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"time"
)

// An Identity is who a peer proved to be: a verified certificate chain. The
// zero value is nobody. It is immutable and safe for concurrent use. The common
// name of a certificate is not an identity and is not offered.
type Identity struct {
	chain      []*x509.Certificate
	generation uint64
	resumed    bool
	until      time.Time // zero: the chain alone decides
}

// PeerIdentity returns the verified identity of a connection's peer. It is
// false without a verified certificate, and before the handshake is complete:
// until then the peer has not proven that the certificate is its own.
//
// The identity's Generation is zero; [Snapshot.PeerIdentity] knows it.
func PeerIdentity(state tls.ConnectionState) (Identity, bool) {
	if !state.HandshakeComplete || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return Identity{}, false
	}
	return newIdentity(state.VerifiedChains[0], 0, state.DidResume), true
}

// PeerIdentity is the function of that name for a connection whose handshake
// used this snapshot: the identity carries its generation.
func (s *Snapshot) PeerIdentity(state tls.ConnectionState) (Identity, bool) {
	id, ok := PeerIdentity(state)
	if ok {
		id.generation = s.generation
		id.until = s.policy.validUntil(state.VerifiedChains, state.OCSPResponse, time.Now())
	}
	return id, ok
}

func newIdentity(chain []*x509.Certificate, generation uint64, resumed bool) Identity {
	return Identity{chain: chain, generation: generation, resumed: resumed}
}

// IsZero reports whether this is nobody.
func (id Identity) IsZero() bool { return len(id.chain) == 0 }

func (id Identity) leaf() *x509.Certificate {
	if id.IsZero() {
		return new(x509.Certificate)
	}
	return id.chain[0]
}

// SPIFFEID returns the SPIFFE ID of an X.509-SVID, or "" when the certificate
// is none: it must hold exactly one URI SAN, and that be a SPIFFE ID with a path.
func (id Identity) SPIFFEID() string { return spiffeID(id.leaf()) }

// DNSNames returns the DNS SANs, a copy. They may hold wildcards.
func (id Identity) DNSNames() []string { return slices.Clone(id.leaf().DNSNames) }

// URIs returns the URI SANs, a copy.
func (id Identity) URIs() []*url.URL {
	var uris []*url.URL
	for _, u := range id.leaf().URIs {
		c := *u
		uris = append(uris, &c)
	}
	return uris
}

// Chain returns the verified chain from the leaf to the trusted root. The slice
// is the caller's, the certificates must not be modified.
func (id Identity) Chain() []*x509.Certificate { return slices.Clone(id.chain) }

// Generation returns the generation of the snapshot that vouches for the
// identity, zero where it is not known.
func (id Identity) Generation() uint64 { return id.generation }

// Resumed reports whether the connection resumed a session.
func (id Identity) Resumed() bool { return id.resumed }

// ValidUntil returns when the verification lapses although nothing changes: the
// earliest NotAfter of the chain and, in an identity from a [Snapshot] with
// [RevocationHard], the moment from which its CRLs or its OCSP response are
// stale. Then the peer wants a [Snapshot.Recheck]. It is zero for nobody.
func (id Identity) ValidUntil() time.Time {
	if id.until.IsZero() && !id.IsZero() {
		return chainEnd(id.chain)
	}
	return id.until
}

// String names the peer for people: the SPIFFE ID, else the first DNS name,
// else the first URI, else the certificate's SHA-256. It is not for decisions.
func (id Identity) String() string {
	if id.IsZero() {
		return "anonymous"
	}
	leaf := id.chain[0]
	switch {
	case id.SPIFFEID() != "":
		return id.SPIFFEID()
	case len(leaf.DNSNames) > 0:
		return clean(leaf.DNSNames[0])
	case len(leaf.URIs) > 0:
		return clean(leaf.URIs[0].String())
	}
	return "sha256:" + fingerprint(leaf)
}

// GoString is String with the type's name.
func (id Identity) GoString() string { return fmt.Sprintf("tlsx.Identity(%q)", id.String()) }

// LogValue describes the peer as a group. Text that the peer's certificate
// brings is bounded and free of control characters.
func (id Identity) LogValue() slog.Value {
	if id.IsZero() {
		return slog.StringValue(id.String())
	}
	leaf := id.chain[0]
	return slog.GroupValue(
		slog.String("name", id.String()),
		slog.Any("sans", sans(leaf)),
		slog.Time("not_after", leaf.NotAfter),
		slog.String("sha256", fingerprint(leaf)),
		slog.Uint64("generation", id.generation),
		slog.Bool("resumed", id.resumed),
	)
}
