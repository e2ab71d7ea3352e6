package certscmd

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The severities of a finding: peers refuse it, it will be a problem, or it is
// worth knowing.
const (
	severityError   = "error"
	severityWarning = "warning"
	severityInfo    = "info"
)

// A finding is one thing to know about a certificate.
type finding struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Text     string `json:"text"`
}

// A judge weighs a chain as a peer would. What is not set is not asked.
type judge struct {
	chain   []*x509.Certificate // leaf first, or CAs alone
	now     time.Time
	warn    time.Duration       // zero: a third of the life
	cas     []*x509.Certificate // that must vouch
	host    string              // that the leaf must be for
	usage   string              // that the leaf must be fit for
	key     crypto.PublicKey    // that must match
	keyPath string

	found []finding
}

func (j *judge) addf(severity, code, format string, args ...any) {
	j.found = append(j.found, finding{severity, code, fmt.Sprintf(format, args...)})
}

// findings never returns nil.
func (j *judge) findings() []finding {
	j.found = []finding{}
	for i, cert := range j.chain {
		j.checkTimes(i, cert)
		j.checkStrength(i, cert)
	}
	leaf := j.chain[0]
	if leaf.IsCA {
		j.addf(severityInfo, "is_ca", "the first certificate is of an authority; a server or client wants one that is not")
		if j.usage != "" {
			j.addf(severityError, "ca_as_leaf", "an authority's certificate is not for serving or calling; issue one for that")
		}
	} else {
		j.checkNames(leaf)
		j.checkUsage(leaf)
		j.checkOrder()
	}
	j.checkKey(leaf)
	j.checkTrust(leaf)
	return j.found
}

func which(i int) string { return fmt.Sprintf("certificate %d", i+1) }

func (j *judge) checkTimes(i int, cert *x509.Certificate) {
	left := cert.NotAfter.Sub(j.now)
	threshold := j.warn
	if threshold == 0 {
		threshold = cert.NotAfter.Sub(cert.NotBefore) / 3
	}
	switch {
	case left < 0:
		j.addf(severityError, "expired", "%s expired at %s; renew it", which(i), stamp(cert.NotAfter))
	case j.now.Before(cert.NotBefore):
		j.addf(severityError, "not_yet_valid", "%s is not valid before %s; wait, or check the clock of this machine, which shows %s", which(i), stamp(cert.NotBefore), stamp(j.now))
	case left < threshold:
		j.addf(severityWarning, "expires_soon", "%s expires at %s, in %v; renew it", which(i), stamp(cert.NotAfter), left.Round(time.Second))
	}
}

func (j *judge) checkStrength(i int, cert *x509.Certificate) {
	switch k := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < 2048 {
			j.addf(severityError, "weak_key", "%s has an RSA key of %d bits; use at least 2048, or ECDSA P-256", which(i), bits)
		}
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			j.addf(severityError, "weak_key", "%s has a key on %s, which TLS does not take; use P-256", which(i), k.Curve.Params().Name)
		}
	case ed25519.PublicKey:
	default:
		j.addf(severityError, "unknown_key", "%s has a kind of key that TLS does not take; use ECDSA P-256", which(i))
	}
	selfSigned := bytes.Equal(cert.RawIssuer, cert.RawSubject)
	switch cert.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		if !selfSigned { // nobody verifies an anchor's own signature
			j.addf(severityError, "weak_signature", "%s is signed with %v, which peers refuse; have it signed with SHA-256", which(i), cert.SignatureAlgorithm)
		}
	default:
	}
}

func (j *judge) checkNames(leaf *x509.Certificate) {
	total := len(leaf.DNSNames) + len(leaf.IPAddresses) + len(leaf.URIs)
	switch {
	case total == 0 && leaf.Subject.CommonName != "":
		j.addf(severityError, "no_san", "its only name is the common name %q, which peers do not look at; issue it with a subject alternative name", clean(leaf.Subject.CommonName))
	case total == 0:
		j.addf(severityError, "no_san", "it has no subject alternative name, so that it is nobody's; issue it with one")
	}
	for i, u := range leaf.URIs {
		if u.Scheme != "spiffe" {
			continue
		}
		if !validSPIFFEID(u.String()) {
			j.addf(severityWarning, "spiffe_id", "%q is not a valid SPIFFE ID, so that it counts as none; use spiffe://trust-domain/path", clean(u.String()))
		} else if len(leaf.URIs) > 1 && i == 0 {
			j.addf(severityWarning, "spiffe_id", "it has %d URIs, but an X.509-SVID one only; leave the others out", len(leaf.URIs))
		}
	}
	if j.host != "" {
		if err := leaf.VerifyHostname(strings.Trim(j.host, "[]")); err != nil {
			j.addf(severityError, "name_mismatch", "it is not for %q but for %s; issue it with that name, or connect by one of its own", clean(j.host), orNone(sanTexts(leaf)))
		}
	}
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}

func permits(cert *x509.Certificate, eku x509.ExtKeyUsage) bool {
	if len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) == 0 {
		return true
	}
	return slices.Contains(cert.ExtKeyUsage, eku) || slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny)
}

func (j *judge) checkUsage(leaf *x509.Certificate) {
	server, client := permits(leaf, x509.ExtKeyUsageServerAuth), permits(leaf, x509.ExtKeyUsageClientAuth)
	if !server && !client {
		j.addf(severityError, "wrong_usage", "it is for neither servers nor clients: its extended key usages lack serverAuth and clientAuth; issue it with one")
		return
	}
	if !server && (j.usage == "server" || j.usage == "both") {
		j.addf(severityError, "wrong_usage", "it is not for servers: its extended key usages lack serverAuth; issue it with the server profile")
	}
	if !client && (j.usage == "client" || j.usage == "both") {
		j.addf(severityError, "wrong_usage", "it is not for clients: its extended key usages lack clientAuth; issue it with the client profile")
	}
	if leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		j.addf(severityError, "wrong_usage", "its key usage lacks digitalSignature, which TLS 1.3 needs; issue it again")
	}
}

func (j *judge) checkOrder() {
	for i := 1; i < len(j.chain); i++ {
		if !bytes.Equal(j.chain[i-1].RawIssuer, j.chain[i].RawSubject) {
			j.addf(severityWarning, "chain_order", "certificate %d did not issue certificate %d; put the leaf first and after each the one that issued it", i+1, i)
		}
	}
}

func (j *judge) checkKey(leaf *x509.Certificate) {
	if j.key == nil {
		return
	}
	if !samePublic(leaf, j.key) {
		j.addf(severityError, "key_mismatch", "%q is not the key of the certificate; install the pair that was issued together", j.keyPath)
	}
	if err := checkPrivate(j.keyPath); err != nil {
		j.addf(severityWarning, "key_readable", "%q %v", j.keyPath, err)
	}
}

// checkTrust verifies the chain as package tlsx does, but for times and names,
// which have findings of their own.
func (j *judge) checkTrust(leaf *x509.Certificate) {
	if len(j.cas) == 0 {
		if !leaf.IsCA {
			j.addf(severityInfo, "trust_not_checked", "no CA was given, so that trust was not checked; give --ca")
		}
		return
	}
	opts := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(),
		CurrentTime: j.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	switch {
	case j.now.After(leaf.NotAfter):
		opts.CurrentTime = leaf.NotAfter
	case j.now.Before(leaf.NotBefore):
		opts.CurrentTime = leaf.NotBefore
	}
	for _, ca := range j.cas {
		opts.Roots.AddCert(ca)
	}
	for _, cert := range j.chain[1:] {
		opts.Intermediates.AddCert(cert)
	}
	if _, err := leaf.Verify(opts); err != nil {
		j.addf(severityError, "untrusted", "no CA that was given vouches for it (%s); give the CA that issued it, or issue it by this one", clean(strings.TrimPrefix(err.Error(), "x509: ")))
	}
}
