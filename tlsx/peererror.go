package tlsx

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// A PeerReason is why a peer was refused. It is fit for a metric label.
type PeerReason string

const (
	// PeerUntrusted means that no chain leads from the certificate to the CA
	// bundle, or that it may not be used in this way.
	PeerUntrusted PeerReason = "untrusted"
	// PeerExpired means that the chain is expired or not yet valid.
	PeerExpired PeerReason = "expired"
	// PeerRevoked means that a certificate of the chain is revoked.
	PeerRevoked PeerReason = "revoked"
	// PeerRevocationUnknown means that nothing current says whether the chain
	// is revoked, under [RevocationHard].
	PeerRevocationUnknown PeerReason = "revocation-unknown"
	// PeerNotAllowed means that the peer is verified but not allowed: a client
	// that Allow does not list.
	PeerNotAllowed PeerReason = "not-allowed"
	// PeerNoCertificate means that the peer presented none.
	PeerNoCertificate PeerReason = "no-certificate"
)

// A PeerError says that a peer was refused, at a handshake or by
// [Snapshot.Recheck], for what it is and not for how it spoke.
//
// On a first handshake crypto/tls itself looks for a chain, before this package
// does; its errors are no PeerError. [RefusalReason] knows both.
type PeerError struct {
	// Reason is the kind of refusal.
	Reason PeerReason
	// Err is the detail. It wraps a *[tls.CertificateVerificationError] where
	// the chain did not verify.
	Err error
}

// Error returns the text. What the peer's certificate brings into it is bounded
// and free of control characters.
func (e *PeerError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("tlsx: peer refused (%s)", e.Reason)
	}
	return fmt.Sprintf("tlsx: peer refused (%s): %s", e.Reason, cleanTo(e.Err.Error(), maxPeerText))
}

// Unwrap returns Err.
func (e *PeerError) Unwrap() error { return e.Err }

// Is reports whether target is a *PeerError of the same reason and without Err,
// so that errors.Is(err, &PeerError{Reason: PeerRevoked}) asks for the reason.
func (e *PeerError) Is(target error) bool {
	t, ok := target.(*PeerError)
	return ok && t.Reason == e.Reason && t.Err == nil
}

// RefusalReason returns why a handshake or a recheck refused the peer, or "" for
// an error that is not a verdict on the peer, such as a broken connection.
func RefusalReason(err error) PeerReason {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*PeerError](err); ok {
		return e.Reason
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return chainReason(e)
	}
	if err.Error() == noClientCertificate {
		return PeerNoCertificate
	}
	return ""
}

// maxPeerText bounds the text of a PeerError.
const maxPeerText = 2048

// noClientCertificate is what crypto/tls says, in an error without a type, when
// a client presents none. A test holds it to that.
const noClientCertificate = "tls: client didn't provide a certificate"

// chainReason tells a chain that ran out from one that was never trusted.
func chainReason(err error) PeerReason {
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		return PeerExpired
	}
	return PeerUntrusted
}

func refuse(reason PeerReason, format string, args ...any) error {
	return &PeerError{Reason: reason, Err: fmt.Errorf(format, args...)}
}
