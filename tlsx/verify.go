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
// the client presented, its validity, constraints and the clientAuth usage. It
// does not trust what an earlier handshake verified.
//
// The identity carries the generation of this snapshot. It is zero, without an
// error, for a client without a certificate where the snapshot allows that, and
// for every client of a snapshot with [NoClientCert], which vouches for none.
// A failed verification is a *[tls.CertificateVerificationError].
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
	case len(state.PeerCertificates) == 0:
		return Identity{}, errNoPeerCert
	}
	chain, err := s.verify(state.PeerCertificates, x509.ExtKeyUsageClientAuth, at)
	if err != nil {
		return Identity{}, fmt.Errorf("tlsx: the client's certificate is not trusted: %w", err)
	}
	return newIdentity(chain, s.generation, state.DidResume), nil
}

var errNoRoots = errors.New("the snapshot holds no CA certificates to verify the peer with")

// verify builds a chain from the presented certificates to the bundle.
func (s *Snapshot) verify(presented []*x509.Certificate, eku x509.ExtKeyUsage, at time.Time) ([]*x509.Certificate, error) {
	if s.roots == nil {
		// A nil pool would mean the roots of the system.
		return nil, errNoRoots
	}
	opts := x509.VerifyOptions{
		Roots:         s.roots,
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
	return chains[0], nil
}
