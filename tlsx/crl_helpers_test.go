package tlsx_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// crl is a CRL to be made: issued an hour ago, for a day, unless edited.
type crl struct {
	number  int64
	revoked []*x509.Certificate
	removed []*x509.Certificate // a delta's removeFromCRL
	base    int64               // of a delta CRL
	point   *point
	edit    func(*x509.RevocationList)
}

// point is an issuing distribution point.
type point struct {
	Name          pointName      `asn1:"optional,tag:0"`
	OnlyUsers     bool           `asn1:"optional,tag:1"`
	OnlyCAs       bool           `asn1:"optional,tag:2"`
	SomeReasons   asn1.BitString `asn1:"optional,tag:3"`
	Indirect      bool           `asn1:"optional,tag:4"`
	OnlyAttribute bool           `asn1:"optional,tag:5"`
}

type pointName struct {
	Full     []asn1.RawValue `asn1:"optional,tag:0"`
	Relative asn1.RawValue   `asn1:"optional,tag:1"`
}

func uriPoint(uri string) pointName {
	return pointName{Full: []asn1.RawValue{{Class: 2, Tag: 6, Bytes: []byte(uri)}}}
}

func extension(t testing.TB, id asn1.ObjectIdentifier, critical bool, value any) pkix.Extension {
	t.Helper()
	der, err := asn1.Marshal(value)
	assert.NoError(t, err)
	return pkix.Extension{Id: id, Critical: critical, Value: der}
}

// by returns the CRL in DER.
func (c crl) by(t testing.TB, ca *certtest.CA) []byte {
	t.Helper()
	now := time.Now()
	list := &x509.RevocationList{
		Number:     big.NewInt(c.number),
		ThisUpdate: now.Add(-time.Hour).Add(time.Duration(c.number) * time.Second), NextUpdate: now.Add(24 * time.Hour),
	}
	for _, cert := range c.revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: now.Add(-2 * time.Hour), ReasonCode: 1})
	}
	for _, cert := range c.removed {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: now.Add(-time.Hour), ReasonCode: 8})
	}
	if c.point != nil {
		list.ExtraExtensions = append(list.ExtraExtensions, extension(t, asn1.ObjectIdentifier{2, 5, 29, 28}, true, *c.point))
	}
	if c.base != 0 {
		list.ExtraExtensions = append(list.ExtraExtensions, extension(t, asn1.ObjectIdentifier{2, 5, 29, 27}, true, c.base))
	}
	if c.edit != nil {
		c.edit(list)
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, ca.Cert, ca.Key)
	assert.NoError(t, err)
	return der
}

func crlPEM(ders ...[]byte) []byte {
	var out []byte
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})...)
	}
	return out
}

// withMaterial makes a server's snapshot of leaf that trusts cas.
func withMaterial(t testing.TB, leaf *certtest.Leaf, edit func(*tlsx.Material), cas ...*certtest.CA) *tlsx.Snapshot {
	t.Helper()
	m := tlsx.Material{Certificate: leaf.TLS()}
	for _, ca := range cas {
		m.ClientCAs = append(m.ClientCAs, ca.Cert)
	}
	edit(&m)
	s, err := tlsx.NewSnapshot(m)
	assert.NoError(t, err)
	return s
}

func peerState(l *certtest.Leaf) tls.ConnectionState {
	return tls.ConnectionState{HandshakeComplete: true, PeerCertificates: l.Chain}
}

func reasonOf(err error) tlsx.PeerReason { return tlsx.RefusalReason(err) }

func nextUpdate(d time.Duration) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.NextUpdate = time.Now().Add(d)
		l.ThisUpdate = l.NextUpdate.Add(-time.Hour)
	}
}

// withCritical is the certificateIssuer of an indirect CRL.
func withCritical(t testing.TB) []pkix.Extension {
	return []pkix.Extension{extension(t, asn1.ObjectIdentifier{2, 5, 29, 29}, true, []asn1.RawValue{})}
}

// fixedKey is the same in every process, so that what a fuzz target signs for
// its seeds verifies in the processes that run it.
func fixedKey(t testing.TB, b byte) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{b}, 32))
	assert.NoError(t, err)
	return key
}

// fixedCA is a root with a fixed key.
func fixedCA(t testing.TB, name string, b byte) *certtest.CA {
	t.Helper()
	key := fixedKey(t, b)
	template := certtest.NewCA(t, name).Cert
	template.SerialNumber = big.NewInt(int64(b))
	template.PublicKey, template.SubjectKeyId, template.AuthorityKeyId = nil, []byte{b}, nil
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	assert.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	assert.NoError(t, err)
	return &certtest.CA{Cert: cert, Key: key}
}

// fixedLeaf is a leaf with a fixed key and serial number.
func fixedLeaf(t testing.TB, ca *certtest.CA, tpl certtest.Template, b byte) *certtest.Leaf {
	t.Helper()
	tpl.Key = fixedKey(t, b)
	tpl.Edit = func(c *x509.Certificate) { c.SerialNumber = big.NewInt(int64(b)) }
	return ca.Issue(t, tpl)
}
