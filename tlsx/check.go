package tlsx

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// A problem is a finding about one part of the material.
type problem struct {
	role string
	err  error
}

// names are what the errors call the fields to set.
type names struct{ clientCA, clientAuth string }

var (
	filesNames    = names{"Files.ClientCA", "Files.ClientAuth"}
	materialNames = names{"Material.ClientCAs", "Material.ClientAuth"}
)

// checkModes checks that the settings do not contradict each other.
func checkModes(usage Usage, auth ClientAuth, hasCA bool, n names) []problem {
	fail := func(format string, args ...any) []problem {
		return []problem{{roleClientCA, fmt.Errorf(format, args...)}}
	}
	switch {
	case !usage.valid():
		return fail("%v is not a usage; use tlsx.ForServer, tlsx.ForClient or tlsx.ForBoth", usage)
	case !auth.valid():
		return fail("%v is not a client authentication; use tlsx.RequireClientCert, tlsx.VerifyClientCertIfGiven or tlsx.NoClientCert", auth)
	case usage == ForClient && auth != RequireClientCert:
		return fail("%s is %v, which means nothing for a client; leave it unset", n.clientAuth, auth)
	case usage == ForBoth && auth == NoClientCert:
		return fail("%s is none, but a certificate for both sides needs CAs to verify servers; leave it unset, or use tlsx.VerifyClientCertIfGiven", n.clientAuth)
	case usage == ForClient && !hasCA:
		return fail("none is given, so no server can be verified; set %s to the CA bundle of the servers", n.clientCA)
	case auth != NoClientCert && !hasCA:
		return fail("none is given, so no client certificate can be verified; set %s to the CA bundle of the clients, or say %s: tlsx.NoClientCert to serve clients without a certificate", n.clientCA, n.clientAuth)
	case auth == NoClientCert && hasCA:
		return fail("one is given, but %s is none, so it would never be used; remove %s, or use tlsx.RequireClientCert", n.clientAuth, n.clientCA)
	}
	return nil
}

// checkChain checks the validity and the usages of a served chain.
func checkChain(chain []*x509.Certificate, usage Usage, now time.Time) []problem {
	var out []problem
	fail := func(reason ReloadReason, format string, args ...any) {
		out = append(out, problem{roleCert, because(reason, fmt.Errorf(format, args...))})
	}
	leaf := chain[0]
	switch {
	case now.After(leaf.NotAfter):
		fail(ReasonExpired, "expired at %s; renew it", stamp(leaf.NotAfter))
	case now.Before(leaf.NotBefore):
		fail(ReasonNotYetValid, "is not valid before %s; wait, or check the clock of this machine, which shows %s", stamp(leaf.NotBefore), stamp(now))
	case now.After(servedNotAfter(chain)):
		fail(ReasonExpired, "an intermediate that the leaf depends on expired at %s; renew the chain, or remove that certificate if the peers trust its key without it", stamp(servedNotAfter(chain)))
	}
	if usage.server() && !permits(leaf, x509.ExtKeyUsageServerAuth) {
		fail(ReasonWrongUsage, "may not be used by a server: its extended key usages lack serverAuth; issue it with serverAuth, or say Usage: tlsx.ForClient for a client")
	}
	if usage.client() && !permits(leaf, x509.ExtKeyUsageClientAuth) {
		fail(ReasonWrongUsage, "may not be used by a client: its extended key usages lack clientAuth; issue it with clientAuth")
	}
	return out
}

const minRSABits = 2048

// checkKey checks that TLS can use the key and that it is the leaf's.
func checkKey(chain []*x509.Certificate, key crypto.Signer) []problem {
	fail := func(err error) []problem { return []problem{{roleKey, err}} }
	public := key.Public()
	switch k := public.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits {
			return fail(fmt.Errorf("RSA with %d bits is too weak; use at least %d, or ECDSA P-256", bits, minRSABits))
		}
	case *ecdsa.PublicKey:
		if c := k.Curve; c != elliptic.P256() && c != elliptic.P384() && c != elliptic.P521() {
			return fail(errors.New("TLS cannot use its curve; use P-256, P-384 or P-521"))
		}
	case ed25519.PublicKey:
	default:
		return fail(fmt.Errorf("TLS cannot use a key of type %T; use RSA, ECDSA or Ed25519", public))
	}
	if samePublicKey(chain[0], public) {
		return nil
	}
	for i, cert := range chain[1:] {
		if samePublicKey(cert, public) {
			return fail(because(ReasonMismatch, fmt.Errorf("belongs to certificate %d of the chain, not to the first; put the leaf first", i+2)))
		}
	}
	return fail(because(ReasonMismatch, errors.New("does not match the certificate; install the pair that was issued together")))
}

func samePublicKey(cert *x509.Certificate, public crypto.PublicKey) bool {
	k, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(public)
}

// checkCA refuses a certificate that can sign none: as a trust anchor it would
// be a leaf that is trusted by name.
func checkCA(cert *x509.Certificate) error {
	switch {
	case cert == nil:
		return errors.New("is nil; leave it out")
	case !cert.BasicConstraintsValid || !cert.IsCA:
		return fmt.Errorf("(%s) is not a CA certificate; list the CA that issued it instead", subjectOf(cert))
	case cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return fmt.Errorf("(%s) is a CA that may not sign certificates; list the CA that issued the peers'", subjectOf(cert))
	}
	return nil
}

// checkBundle refuses a bundle in which no certificate is valid. Some may be
// out of date: bundles overlap during a change of CA.
func checkBundle(cas []*x509.Certificate, now time.Time) []problem {
	for _, ca := range cas {
		if !now.Before(ca.NotBefore) && !now.After(ca.NotAfter) {
			return nil
		}
	}
	return []problem{{roleClientCA, because(ReasonExpired, fmt.Errorf("none of its %d certificates is valid now (the first is valid from %s to %s); renew the bundle, or check the clock of this machine",
		len(cas), stamp(cas[0].NotBefore), stamp(cas[0].NotAfter)))}}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func subjectOf(cert *x509.Certificate) string { return clean(cert.Subject.String()) }
