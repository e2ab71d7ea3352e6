package tlsx

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	// The hashes that a CertID may name. SHA-1 protects nothing there.
	_ "crypto/sha1" //nolint:gosec // see above
	_ "crypto/sha256"
	_ "crypto/sha512"
)

type ocspStatus int

const (
	ocspGood ocspStatus = iota
	ocspRevoked
	ocspUnknown
)

// An ocspResult is what a response that verified says about one certificate.
type ocspResult struct {
	status                            ocspStatus
	thisUpdate, nextUpdate, revokedAt time.Time
	reason                            int
	responder                         *x509.Certificate // nil: the issuer itself
}

// verifyOCSP verifies an OCSP response (RFC 6960) about leaf, which issuer
// signed, at a time. The signature has to be the issuer's or that of a responder
// to which the issuer delegates; the CertID must be the leaf's by name, key and
// serial number; the times must be current. Errors continue "the response ...".
func verifyOCSP(raw []byte, leaf, issuer *x509.Certificate, at time.Time) (ocspResult, error) {
	basic, err := parseOCSP(raw)
	if err != nil {
		return ocspResult{}, err
	}
	responder, err := basic.verifySignature(issuer, at)
	if err != nil {
		return ocspResult{}, err
	}
	data := &basic.Data
	if data.ProducedAt.After(at.Add(clockSkew)) {
		return ocspResult{}, fmt.Errorf("was produced at %s, in the future; check the clocks", stamp(data.ProducedAt))
	}
	if err := checkOCSPExtensions(data.Extensions); err != nil {
		return ocspResult{}, err
	}
	single, err := data.find(leaf, issuer)
	if err != nil {
		return ocspResult{}, err
	}
	if err := checkOCSPExtensions(single.Extensions); err != nil {
		return ocspResult{}, err
	}
	switch {
	case single.ThisUpdate.After(at.Add(clockSkew)):
		return ocspResult{}, fmt.Errorf("is not valid before %s; check the clocks", stamp(single.ThisUpdate))
	case single.NextUpdate.IsZero():
		return ocspResult{}, errors.New("has no nextUpdate, so that its age cannot be judged; have the responder set one")
	case single.NextUpdate.Before(single.ThisUpdate):
		return ocspResult{}, errors.New("has a nextUpdate before its thisUpdate")
	case at.After(single.NextUpdate.Add(clockSkew)):
		return ocspResult{}, fmt.Errorf("is stale: its nextUpdate was %s; staple a new one", stamp(single.NextUpdate))
	}
	out := ocspResult{thisUpdate: single.ThisUpdate, nextUpdate: single.NextUpdate, responder: responder}
	switch {
	case bool(single.Good):
		out.status = ocspGood
	case bool(single.Unknown):
		out.status = ocspUnknown
	default:
		out.status = ocspRevoked
		out.revokedAt, out.reason = single.Revoked.Time, int(single.Revoked.Reason)
	}
	return out, nil
}

// find returns the answer for the leaf. Responders may answer for several
// certificates at once, also of several issuers with the same serial number. Of
// several answers, one that is not good counts.
func (d *ocspData) find(leaf, issuer *x509.Certificate) (*ocspSingle, error) {
	var found *ocspSingle
	for i := range d.Responses {
		single := &d.Responses[i]
		if !single.CertID.names(leaf, issuer) {
			continue
		}
		if found == nil || bool(found.Good) {
			found = single
		}
	}
	if found == nil {
		return nil, errors.New("is not about this certificate: serial number or issuer differ")
	}
	return found, nil
}

// names reports whether the CertID is that of leaf (RFC 6960, section 4.1.1).
func (id *ocspCertID) names(leaf, issuer *x509.Certificate) bool {
	hash := certIDHash(id.Hash.Algorithm)
	if hash == 0 || id.Serial == nil || id.Serial.Cmp(leaf.SerialNumber) != 0 {
		return false
	}
	key, err := publicKeyBits(issuer)
	if err != nil {
		return false
	}
	return bytes.Equal(id.NameHash, hashOf(hash, issuer.RawSubject)) && bytes.Equal(id.KeyHash, hashOf(hash, key))
}

// hashOf names data.
func hashOf(hash crypto.Hash, data []byte) (sum []byte) {
	forNaming(func() {
		h := hash.New()
		_, _ = h.Write(data)
		sum = h.Sum(nil)
	})
	return sum
}

// forNaming runs f, which hashes to name something, as OCSP does with SHA-1.
// Nothing rests on the strength of such a hash, so FIPS mode has no say in it.
func forNaming(f func()) { fips140.WithoutEnforcement(f) }

// publicKeyBits returns the subjectPublicKey without its algorithm.
func publicKeyBits(cert *x509.Certificate) ([]byte, error) {
	var info struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(cert.RawSubjectPublicKeyInfo, &info); err != nil {
		return nil, err
	}
	return info.Key.RightAlign(), nil
}

// verifySignature returns the delegated responder that signed, nil for the
// issuer itself.
func (p *ocspParsed) verifySignature(issuer *x509.Certificate, at time.Time) (*x509.Certificate, error) {
	algorithm := ocspSignature(p.Algorithm.Algorithm)
	if algorithm == x509.UnknownSignatureAlgorithm {
		return nil, fmt.Errorf("is signed with the algorithm %s, which is not supported; use SHA-256 or better with RSA (PKCS #1), ECDSA or Ed25519", p.Algorithm.Algorithm)
	}
	signed, signature := p.Data.Raw, p.Signature.RightAlign()
	if p.by(issuer) {
		if err := issuer.CheckSignature(algorithm, signed, signature); err != nil {
			return nil, fmt.Errorf("has a signature by the issuer that does not verify (%w)", err)
		}
		return nil, nil //nolint:nilnil // no delegate
	}
	for _, der := range p.Certificates {
		cert, err := x509.ParseCertificate(der.FullBytes)
		if err != nil || !p.by(cert) {
			continue
		}
		if err := checkResponder(cert, issuer, at); err != nil {
			return nil, fmt.Errorf("is signed by %s, %w", nameOf(cert), err)
		}
		if err := cert.CheckSignature(algorithm, signed, signature); err != nil {
			return nil, fmt.Errorf("has a signature by its responder that does not verify (%w)", err)
		}
		return cert, nil
	}
	return nil, errors.New("is signed by a responder that is neither the issuer nor enclosed")
}

// by reports whether the responder ID names the certificate (RFC 6960, section
// 4.2.1).
func (p *ocspParsed) by(cert *x509.Certificate) bool {
	if len(p.responderName) > 0 {
		return bytes.Equal(p.responderName, cert.RawSubject)
	}
	key, err := publicKeyBits(cert)
	return err == nil && bytes.Equal(p.responderKey, hashOf(crypto.SHA1, key))
}

// checkResponder checks that the issuer lets cert answer in its place (RFC 6960,
// section 4.2.2.2). Without this, any certificate of the issuer could.
func checkResponder(cert, issuer *x509.Certificate, at time.Time) error {
	switch {
	case !bytes.Equal(cert.RawIssuer, issuer.RawSubject):
		return errors.New("which another CA issued")
	case !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return errors.New("which is no OCSP responder: its extended key usages lack OCSPSigning")
	case cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return errors.New("whose key usage lacks digitalSignature")
	case at.After(cert.NotAfter), at.Before(cert.NotBefore):
		return fmt.Errorf("which is valid from %s to %s only", stamp(cert.NotBefore), stamp(cert.NotAfter))
	case len(cert.UnhandledCriticalExtensions) > 0:
		return fmt.Errorf("which has the critical extension %s, which is not supported", cert.UnhandledCriticalExtensions[0])
	}
	if err := cert.CheckSignatureFrom(issuer); err != nil {
		return fmt.Errorf("which the issuer did not sign (%w)", err)
	}
	return nil
}
