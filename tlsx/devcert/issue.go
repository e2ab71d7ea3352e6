package devcert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/grpcx-go/sdk/tlsx/internal/devmark"
)

const (
	// backdate tolerates a clock that was set back a little, and containers
	// whose clocks differ.
	backdate   = 5 * time.Minute
	clientName = "client.localhost"
)

// material is a certificate set in memory.
type material struct {
	ca             *x509.Certificate
	server, client tls.Certificate
}

// issue makes the authority, signs the two certificates and forgets its key.
func issue(c *config, now time.Time) (*material, error) {
	caKey, err := newKey()
	if err != nil {
		return nil, err
	}
	template, err := baseTemplate(now, c.lifetime)
	if err != nil {
		return nil, err
	}
	template.Subject = pkix.Name{Organization: []string{devmark.Organization}, CommonName: "Development CA " + template.SerialNumber.Text(16)[:8]}
	template.IsCA = true
	template.MaxPathLenZero = true
	template.KeyUsage = x509.KeyUsageCertSign
	// Every kind of name that a peer could be known by is confined to this
	// machine, not only the two that the certificates here use.
	template.PermittedDNSDomainsCritical = true
	template.PermittedDNSDomains = []string{"localhost"}
	template.PermittedURIDomains = []string{"localhost"}
	template.PermittedEmailAddresses = []string{"localhost"}
	template.PermittedIPRanges = []*net.IPNet{
		{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
		{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
	}
	ca, err := create(template, template, caKey, caKey)
	if err != nil {
		return nil, err
	}
	m := &material{ca: ca}
	m.server, err = leaf(c, now, ca, caKey, func(t *x509.Certificate) {
		t.Subject.CommonName = "localhost"
		t.DNSNames, t.IPAddresses = c.names, c.ips
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	})
	if err != nil {
		return nil, err
	}
	m.client, err = leaf(c, now, ca, caKey, func(t *x509.Certificate) {
		t.Subject.CommonName = clientName
		t.DNSNames = []string{clientName}
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

func leaf(c *config, now time.Time, ca *x509.Certificate, caKey *ecdsa.PrivateKey, edit func(*x509.Certificate)) (tls.Certificate, error) {
	template, err := baseTemplate(now, c.lifetime)
	if err != nil {
		return tls.Certificate{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	edit(template)
	key, err := newKey()
	if err != nil {
		return tls.Certificate{}, err
	}
	cert, err := create(template, ca, key, caKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}, nil
}

func baseTemplate(now time.Time, lifetime time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("devcert: serial number: %w", err)
	}
	serial.SetBit(serial, 126, 1) // positive, and of full length
	return &x509.Certificate{
		SerialNumber:          serial,
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(lifetime),
		BasicConstraintsValid: true,
	}, nil
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("devcert: generate key: %w", err)
	}
	return key, nil
}

func create(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("devcert: create certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("devcert: parse certificate: %w", err)
	}
	return cert, nil
}
