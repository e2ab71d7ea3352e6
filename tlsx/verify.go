package tlsx

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Recheck verifies the client of an open connection, or of a resumed session,
// against the trust of this snapshot at the given time: the whole chain that
// the client presented, its validity, constraints and the clientAuth usage, its
// revocation status, and whether it is allowed. It does not trust what an
// earlier handshake verified, unless that was the same chain, byte for byte, by
// the same CA bundle: then its signatures are not computed again.
//
// The identity carries the generation of this snapshot. It is zero, without an
// error, for a client without a certificate where the snapshot allows that, and
// for every client of a snapshot with [NoClientCert], which vouches for none.
// A refusal is a *[PeerError].
func (s *Snapshot) Recheck(state tls.ConnectionState, at time.Time) (Identity, error) {
	switch {
	case s.cert == nil:
		return Identity{}, errEmpty
	case !s.usage.server():
		return Identity{}, errNotServer
	case s.clientAuth == NoClientCert:
		return Identity{}, nil
	case len(state.PeerCertificates) == 0 && s.clientAuth == VerifyClientCertIfGiven:
		return Identity{}, nil
	}
	v, err := s.verifyPeer(clientPeer, state, nil, at)
	if err != nil {
		return Identity{}, err
	}
	id := newIdentity(v.chain, s.generation, state.DidResume)
	id.until = v.until
	return id, nil
}

// A peerKind is the side that a peer is on.
type peerKind int

const (
	clientPeer peerKind = iota
	serverPeer
)

func (k peerKind) String() string {
	if k == serverPeer {
		return "server"
	}
	return "client"
}

func (k peerKind) usage() x509.ExtKeyUsage {
	if k == serverPeer {
		return x509.ExtKeyUsageServerAuth
	}
	return x509.ExtKeyUsageClientAuth
}

// A verified peer is the chain that was accepted and when that lapses.
type verified struct {
	chain []*x509.Certificate
	until time.Time
}

// verifyPeer is the one judgement on a peer's certificate: of clients and
// servers, at first handshakes, resumptions and rechecks. The chains are those
// that crypto/tls verified in this very handshake, or nil to verify anew.
func (s *Snapshot) verifyPeer(kind peerKind, state tls.ConnectionState, chains [][]*x509.Certificate, at time.Time) (verified, error) {
	if len(state.PeerCertificates) == 0 {
		return verified{}, noCertificate(kind)
	}
	v, err := s.verifyTrust(kind, state, chains, at)
	if err != nil {
		return verified{}, err
	}
	if kind == clientPeer && s.policy.allow != nil && !s.policy.allow.allows(v.chain[0]) {
		return verified{}, refuse(PeerNotAllowed, "%s is not on the list of allowed clients; add it to Allow if it should be", newIdentity(v.chain, 0, false))
	}
	return v, nil
}

// verifyTrust finds the chain that vouches for the peer and is not revoked.
func (s *Snapshot) verifyTrust(kind peerKind, state tls.ConnectionState, chains [][]*x509.Certificate, at time.Time) (verified, error) {
	if len(chains) == 0 && kind == clientPeer && s.roots != nil {
		if known := s.roots.known(state, at); len(known) > 0 {
			if v, err := s.policy.checkRevocation(known, state.OCSPResponse, at); err == nil {
				return v, nil
			}
			// There may be another chain by now.
		}
	}
	if len(chains) == 0 {
		var err error
		if chains, err = s.verifyChains(state.PeerCertificates, kind.usage(), at); err != nil {
			return verified{}, &PeerError{Reason: chainReason(err), Err: fmt.Errorf("the %v's certificate is not trusted: %w", kind, err)}
		}
	}
	return s.policy.checkRevocation(chains, state.OCSPResponse, at)
}

func noCertificate(kind peerKind) error {
	return refuse(PeerNoCertificate, "the %v presented no verified certificate", kind)
}

var errNoRoots = errors.New("the snapshot holds no CA certificates to verify the peer with")

// verifyChains builds the chains from the presented certificates to the bundle.
func (s *Snapshot) verifyChains(presented []*x509.Certificate, eku x509.ExtKeyUsage, at time.Time) ([][]*x509.Certificate, error) {
	roots := s.anchorsFor(presented[0])
	if roots == nil {
		// A nil pool would mean the roots of the system.
		return nil, errNoRoots
	}
	opts := x509.VerifyOptions{
		Roots:         roots,
		Intermediates: x509.NewCertPool(),
		CurrentTime:   at,
		KeyUsages:     []x509.ExtKeyUsage{eku},
	}
	for _, cert := range presented[1:] {
		opts.Intermediates.AddCert(cert)
	}
	chains, err := presented[0].Verify(opts)
	if err != nil {
		return nil, &tls.CertificateVerificationError{UnverifiedCertificates: presented, Err: err}
	}
	return chains, nil
}

// anchorsFor returns the CAs that may vouch for the leaf: all of the bundle.
// Trust that depends on the name of the peer, as with federated trust domains,
// is decided here; the chains that crypto/tls verified then count for nothing.
func (s *Snapshot) anchorsFor(*x509.Certificate) *x509.CertPool {
	if s.roots == nil {
		return nil
	}
	return s.roots.pool
}
