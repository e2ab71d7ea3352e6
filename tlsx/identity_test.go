package tlsx_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

func verified(l *certtest.Leaf, ca *certtest.CA) tls.ConnectionState {
	chain := append(append([]*x509.Certificate(nil), l.Chain...), ca.Cert)
	return tls.ConnectionState{HandshakeComplete: true, PeerCertificates: l.Chain, VerifiedChains: [][]*x509.Certificate{chain}}
}

func TestPeerIdentityNeedsVerification(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	leaf := ca.Issue(t, certtest.Client)
	during := verified(leaf, ca)
	during.HandshakeComplete = false
	for name, state := range map[string]tls.ConnectionState{
		"zero":                 {},
		"presented only":       {HandshakeComplete: true, PeerCertificates: leaf.Chain},
		"empty chain":          {HandshakeComplete: true, VerifiedChains: [][]*x509.Certificate{{}}},
		"before its signature": during,
	} {
		id, ok := tlsx.PeerIdentity(state)
		assert.True(t, !ok && id.IsZero(), name)
	}
}

func TestIdentity(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	leaf := ca.Issue(t, certtest.Template{CommonName: "secret-admin", DNSNames: []string{"a.test", "b.test"}, URIs: []string{"spiffe://example.test/ns/a"}})
	state := verified(leaf, ca)
	state.DidResume = true
	id, ok := tlsx.PeerIdentity(state)
	assert.True(t, ok)
	assert.True(t, !id.IsZero() && id.Resumed())
	assert.Equal(t, id.Generation(), uint64(0))
	assert.Equal(t, id.DNSNames(), []string{"a.test", "b.test"})
	assert.Equal(t, len(id.Chain()), 2)

	// What it returns is the caller's.
	id.DNSNames()[0], id.Chain()[0], id.URIs()[0].Host = "x", nil, "x"
	assert.Equal(t, id.DNSNames()[0], "a.test")
	assert.True(t, id.Chain()[0].Equal(leaf.Cert))
	assert.Equal(t, id.URIs()[0].Host, "example.test")
	assert.Equal(t, fmt.Sprintf("%#v", id), `tlsx.Identity("spiffe://example.test/ns/a")`)

	var nobody tlsx.Identity
	assert.Equal(t, nobody.String(), "anonymous")
	assert.Equal(t, nobody.SPIFFEID(), "")
	assert.Equal(t, len(nobody.DNSNames())+len(nobody.URIs())+len(nobody.Chain()), 0)
}

func TestIdentitySPIFFEID(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	for _, tc := range []struct {
		name string
		uris []string
		ok   bool
	}{
		{"workload", []string{"spiffe://example.test/ns/default/sa/web"}, true},
		{"full alphabet", []string{"spiffe://a-b_c.9/A-z_0.9"}, true},
		{"two URIs", []string{"spiffe://example.test/a", "spiffe://example.test/b"}, false},
		{"beside another URI", []string{"spiffe://example.test/a", "https://example.test/"}, false},
		{"trust domain", []string{"spiffe://example.test"}, false},
		{"final slash", []string{"spiffe://example.test/a/"}, false},
		{"empty segment", []string{"spiffe://example.test/a//b"}, false},
		{"dots", []string{"spiffe://example.test/a/../b"}, false},
		{"escape", []string{"spiffe://example.test/%61"}, false},
		{"query", []string{"spiffe://example.test/a?b"}, false},
		{"fragment", []string{"spiffe://example.test/a#b"}, false},
		{"port", []string{"spiffe://example.test:1/a"}, false},
		{"user", []string{"spiffe://u@example.test/a"}, false},
		{"capitals in the domain", []string{"spiffe://Example.test/a"}, false},
		{"other scheme", []string{"https://example.test/a"}, false},
		{"too long", []string{"spiffe://example.test/" + strings.Repeat("a", 2048)}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id, ok := tlsx.PeerIdentity(verified(ca.Issue(t, certtest.Template{URIs: tc.uris}), ca))
			assert.True(t, ok)
			want := ""
			if tc.ok {
				want = tc.uris[0]
			}
			assert.Equal(t, id.SPIFFEID(), want)
		})
	}
}

func TestIdentityNames(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprintf("n%d.test", i)
	}
	bare := certtest.Template{Edit: func(c *x509.Certificate) {
		c.Subject, c.DNSNames, c.IPAddresses = pkix.Name{CommonName: "cn"}, nil, nil
	}}
	for name, tc := range map[string]struct {
		tpl  certtest.Template
		want string
	}{
		"SPIFFE first": {certtest.Template{DNSNames: []string{"a.test"}, URIs: []string{"spiffe://a/b"}}, "spiffe://a/b"},
		"DNS":          {certtest.Template{DNSNames: many}, "n0.test"},
		"URI":          {certtest.Template{URIs: []string{"https://a.test/x"}}, "https://a.test/x"},
		"never the CN": {bare, "sha256:"},
	} {
		t.Run(name, func(t *testing.T) {
			id, _ := tlsx.PeerIdentity(verified(ca.Issue(t, tc.tpl), ca))
			assert.Contains(t, id.String(), tc.want)
			assert.NotContains(t, id.String(), "cn")
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("call", "peer", id)
			assert.True(t, log.Len() < 2000, "the line is bounded")
		})
	}
}
