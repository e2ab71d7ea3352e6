package certtest

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// A CA is a certificate authority: a root, or an intermediate below one.
type CA struct {
	Cert *x509.Certificate
	Key  crypto.Signer
	// Above holds the intermediates to serve between a leaf and the root: this
	// one first, none for a root.
	Above []*x509.Certificate
}

// NewCA makes a self-signed root that is valid for a day. Each edit may change
// its template.
func NewCA(t testing.TB, name string, edit ...func(*x509.Certificate)) *CA {
	t.Helper()
	return NewCAWithKey(t, name, ECDSA, edit...)
}

// NewCAWithKey is NewCA with another type of key.
func NewCAWithKey(t testing.TB, name string, keyType KeyType, edit ...func(*x509.Certificate)) *CA {
	t.Helper()
	key := keyType.generate(t)
	template := caTemplate(t, name)
	for _, e := range edit {
		e(template)
	}
	return &CA{Cert: sign(t, template, template, key.Public(), key), Key: key}
}

// Intermediate makes an authority below ca.
func (ca *CA) Intermediate(t testing.TB, name string, edit ...func(*x509.Certificate)) *CA {
	t.Helper()
	key := ECDSA.generate(t)
	template := caTemplate(t, name)
	for _, e := range edit {
		e(template)
	}
	cert := sign(t, template, ca.Cert, key.Public(), ca.Key)
	return &CA{Cert: cert, Key: key, Above: append([]*x509.Certificate{cert}, ca.Above...)}
}

// CrossSign returns a certificate for the name and key of other, issued by ca.
func (ca *CA) CrossSign(t testing.TB, other *CA, edit ...func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	template := caTemplate(t, "")
	template.Subject = other.Cert.Subject
	template.SubjectKeyId = other.Cert.SubjectKeyId
	for _, e := range edit {
		e(template)
	}
	return sign(t, template, ca.Cert, other.Key.Public(), ca.Key)
}

// PEM returns the certificate of the authority.
func (ca *CA) PEM() []byte { return CertPEM(ca.Cert) }

// Pool returns a pool that holds the authority alone.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	return pool
}

// CertPEM encodes certificates.
func CertPEM(certs ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

func caTemplate(t testing.TB, name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber:          serial(t),
		Subject:               pkix.Name{CommonName: name, Organization: []string{"certtest"}},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(24 * time.Hour),
		BasicConstraintsValid: true,
		IsCA:                  true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func sign(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		t.Fatalf("certtest: create certificate: %v", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatalf("certtest: parse certificate: %v", err)
	}
	return cert
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatalf("certtest: serial number: %v", err)
	}
	return n.Add(n, big.NewInt(1))
}
