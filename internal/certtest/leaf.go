package certtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// KeyType chooses the key of a leaf.
type KeyType int

// The key types. ECDSA, on P-256, is the zero value.
const (
	ECDSA KeyType = iota
	RSA
	Ed25519
)

func (k KeyType) generate(t testing.TB) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch k {
	case RSA:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case Ed25519:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatalf("certtest: generate key: %v", err)
	}
	return key
}

// A Template describes a leaf. The zero value is a certificate for 127.0.0.1
// and localhost that serves and connects and is valid for a day.
type Template struct {
	CommonName string
	// DNSNames, IPs and URIs are the SANs; when all are empty, localhost and
	// 127.0.0.1.
	DNSNames []string
	IPs      []net.IP
	URIs     []string
	// Usages are the extended key usages; nil means serverAuth and clientAuth,
	// an empty slice none at all.
	Usages              []x509.ExtKeyUsage
	NotBefore, NotAfter time.Time     // zero: an hour ago, in a day
	KeyType             KeyType       // for a new key
	Key                 crypto.Signer // an existing key instead
	// Edit changes what the fields cannot say.
	Edit func(*x509.Certificate)
}

// Server and Client are templates for one side only.
var (
	Server = Template{CommonName: "server", Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	Client = Template{CommonName: "client", DNSNames: []string{"client.test"}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
)

// A Leaf is an issued certificate, its chain without the root, and its key.
type Leaf struct {
	Cert  *x509.Certificate
	Chain []*x509.Certificate
	Key   crypto.Signer
}

// Issue makes a leaf.
func (ca *CA) Issue(t testing.TB, tpl Template) *Leaf {
	t.Helper()
	key := tpl.Key
	if key == nil {
		key = tpl.KeyType.generate(t)
	}
	now := time.Now()
	cert := &x509.Certificate{
		SerialNumber: serial(t),
		Subject:      pkix.Name{CommonName: tpl.CommonName},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  tpl.Usages,
		DNSNames:     tpl.DNSNames,
		IPAddresses:  tpl.IPs,
	}
	if tpl.Usages == nil {
		cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	if !tpl.NotBefore.IsZero() {
		cert.NotBefore = tpl.NotBefore
	}
	if !tpl.NotAfter.IsZero() {
		cert.NotAfter = tpl.NotAfter
	}
	for _, raw := range tpl.URIs {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatalf("certtest: URI %q: %v", raw, err)
		}
		cert.URIs = append(cert.URIs, u)
	}
	if len(tpl.DNSNames)+len(tpl.IPs)+len(tpl.URIs) == 0 {
		cert.DNSNames = []string{"localhost"}
		cert.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	if tpl.Edit != nil {
		tpl.Edit(cert)
	}
	leaf := sign(t, cert, ca.Cert, key.Public(), ca.Key)
	return &Leaf{Cert: leaf, Chain: append([]*x509.Certificate{leaf}, ca.Above...), Key: key}
}

// TLS returns the chain and key for crypto/tls.
func (l *Leaf) TLS() tls.Certificate {
	out := tls.Certificate{PrivateKey: l.Key, Leaf: l.Cert}
	for _, c := range l.Chain {
		out.Certificate = append(out.Certificate, c.Raw)
	}
	return out
}

// CertPEM returns the chain, leaf first.
func (l *Leaf) CertPEM() []byte { return CertPEM(l.Chain...) }

// KeyPEM returns the key in PKCS #8.
func (l *Leaf) KeyPEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(l.Key)
	if err != nil {
		t.Fatalf("certtest: marshal key: %v", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Write writes name.crt and name.key to dir and returns their paths.
func (l *Leaf) Write(t testing.TB, dir, name string) (cert, key string) {
	t.Helper()
	return WriteFile(t, dir, name+".crt", l.CertPEM()), WriteFile(t, dir, name+".key", l.KeyPEM(t))
}

// Write writes name to dir and returns its path.
func (ca *CA) Write(t testing.TB, dir, name string) string {
	t.Helper()
	return WriteFile(t, dir, name, ca.PEM())
}

// WriteFile writes a file that only its owner can read and returns its path.
func WriteFile(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatalf("certtest: %v", err)
	}
	return path
}
