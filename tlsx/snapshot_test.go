package tlsx_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

func TestNewSnapshotFails(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	leaf := ca.Issue(t, certtest.Server)
	cas := []*x509.Certificate{ca.Cert}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	assert.NoError(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	assert.NoError(t, err)
	with := func(key crypto.PrivateKey) tls.Certificate {
		c := leaf.TLS()
		c.PrivateKey = key
		return c
	}
	for name, tc := range map[string]struct {
		m    tlsx.Material
		want []string
	}{
		"zero":              {tlsx.Material{}, []string{"chain is empty", "PrivateKey", "Material.ClientCAs", "tlsx.NoClientCert"}},
		"no key":            {tlsx.Material{Certificate: with(nil), ClientCAs: cas}, []string{"private key", "no crypto.Signer"}},
		"wrong key":         {tlsx.Material{Certificate: with(ca.Key), ClientCAs: cas}, []string{"does not match"}},
		"weak RSA":          {tlsx.Material{Certificate: with(weak), ClientCAs: cas}, []string{"1024 bits", "at least 2048"}},
		"curve":             {tlsx.Material{Certificate: with(p224), ClientCAs: cas}, []string{"P-256, P-384 or P-521"}},
		"garbage":           {tlsx.Material{Certificate: tls.Certificate{Certificate: [][]byte{{1}}, PrivateKey: leaf.Key}, ClientCAs: cas}, []string{"certificate 1 is not valid"}},
		"nil CA":            {tlsx.Material{Certificate: leaf.TLS(), ClientCAs: []*x509.Certificate{nil}}, []string{"client CA", "certificate 1 is nil"}},
		"leaf as CA":        {tlsx.Material{Certificate: leaf.TLS(), ClientCAs: []*x509.Certificate{ca.Cert, leaf.Cert}}, []string{"certificate 2", "not a CA"}},
		"contradiction":     {tlsx.Material{Certificate: leaf.TLS(), ClientCAs: cas, ClientAuth: tlsx.NoClientCert}, []string{"never be used"}},
		"client with auth":  {tlsx.Material{Certificate: leaf.TLS(), ClientCAs: cas, ClientAuth: tlsx.VerifyClientCertIfGiven, Usage: tlsx.ForClient}, []string{"means nothing for a client", "lack clientAuth"}},
		"both without CA":   {tlsx.Material{Certificate: leaf.TLS(), ClientAuth: tlsx.NoClientCert, Usage: tlsx.ForBoth}, []string{"both sides needs CAs"}},
		"server key for ca": {tlsx.Material{Certificate: with(bareSigner{ca.Key}), ClientCAs: cas}, []string{"does not match"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := tlsx.NewSnapshot(tc.m)
			assert.True(t, s == nil)
			assert.ErrorContains(t, err, tc.want...)
		})
	}
}

func TestNewSnapshotCopies(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	leaf := ca.Issue(t, certtest.Server)
	m := tlsx.Material{Certificate: leaf.TLS(), ClientCAs: []*x509.Certificate{ca.Cert}}
	m.Certificate.Certificate[0] = bytes.Clone(m.Certificate.Certificate[0])
	m.Certificate.OCSPStaple = []byte("staple")
	s, err := tlsx.NewSnapshot(m)
	assert.NoError(t, err)
	clear(m.Certificate.Certificate[0])
	clear(m.Certificate.OCSPStaple)
	m.ClientCAs[0] = nil
	s.ClientCAs()[0] = nil
	assert.True(t, s.ClientCAs()[0].Equal(ca.Cert))
	_, cs, serverErr, clientErr := handshake(t, s.ServerConfig(), plainClient(ca, ca.Issue(t, certtest.Client).TLS()))
	assert.NoError(t, serverErr)
	assert.NoError(t, clientErr)
	assert.Equal(t, string(cs.OCSPResponse), "staple")
}

func TestRecheck(t *testing.T) {
	ca, other := certtest.NewCA(t, "root"), certtest.NewCA(t, "other")
	mid := ca.Intermediate(t, "mid", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(2 * time.Hour) })
	leaf := ca.Issue(t, certtest.Server)
	require := serverSnapshot(t, leaf, tlsx.RequireClientCert, ca)
	ifGiven := serverSnapshot(t, leaf, tlsx.VerifyClientCertIfGiven, ca)
	anonymous := serverSnapshot(t, leaf, tlsx.NoClientCert)
	foreign := serverSnapshot(t, leaf, tlsx.RequireClientCert, other)
	crossed := certtest.CA{Cert: other.CrossSign(t, ca)}

	client, below := ca.Issue(t, certtest.Client), mid.Issue(t, certtest.Client)
	state := func(l *certtest.Leaf, more ...*x509.Certificate) tls.ConnectionState {
		return tls.ConnectionState{HandshakeComplete: true, PeerCertificates: append(append([]*x509.Certificate(nil), l.Chain...), more...)}
	}
	now := time.Now()
	for _, tc := range []struct {
		name     string
		snapshot *tlsx.Snapshot
		state    tls.ConnectionState
		at       time.Time
		identity string
		want     string
	}{
		{"trusted", require, state(client), now, "client.test", ""},
		{"through an intermediate", require, state(below), now, "client.test", ""},
		{"CA removed", foreign, state(client), now, "", "unknown authority"},
		{"cross-signed", foreign, state(client, crossed.Cert), now, "client.test", ""},
		{"leaf expired", require, state(client), now.Add(48 * time.Hour), "", "expired"},
		{"intermediate expired", require, state(below), now.Add(3 * time.Hour), "", "expired"},
		{"before its time", require, state(client), now.Add(-3 * time.Hour), "", "not yet valid"},
		{"serverAuth only", require, state(ca.Issue(t, certtest.Server)), now, "", "incompatible key usage"},
		{"no certificate, required", require, tls.ConnectionState{}, now, "", "no verified certificate"},
		{"no certificate, optional", ifGiven, tls.ConnectionState{}, now, "anonymous", ""},
		{"optional, foreign", ifGiven, state(other.Issue(t, certtest.Client)), now, "", "unknown authority"},
		{"nobody is verified", anonymous, state(client), now, "anonymous", ""},
		{"client's snapshot", clientSnapshot(t, client, ca), state(client), now, "", "is a client's"},
		{"zero snapshot", new(tlsx.Snapshot), state(client), now, "", "holds no identity"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id, err := tc.snapshot.Recheck(tc.state, tc.at)
			if tc.want != "" {
				assert.ErrorContains(t, err, tc.want)
				assert.True(t, id.IsZero())
				return
			}
			assert.NoError(t, err)
			assert.Equal(t, id.String(), tc.identity)
			if !id.IsZero() {
				assert.Equal(t, id.Generation(), uint64(1))
			}
		})
	}
	_, err := foreign.Recheck(state(client), now)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		t.Errorf("%v is no CertificateVerificationError", err)
	}
}

func TestSnapshotNotAfter(t *testing.T) {
	ca, old := certtest.NewCA(t, "root"), certtest.NewCA(t, "old root")
	soon := time.Now().Add(2 * time.Hour).Truncate(time.Second).UTC()
	mid := ca.Intermediate(t, "mid", func(c *x509.Certificate) { c.NotAfter = soon })
	leaf := mid.Issue(t, certtest.Server)
	assert.Equal(t, serverSnapshot(t, leaf, tlsx.NoClientCert).NotAfter(), soon)

	// A cross certificate that has expired does not end the chain while another
	// path is served.
	leaf.Chain = append(leaf.Chain, old.CrossSign(t, mid, past))
	assert.Equal(t, serverSnapshot(t, leaf, tlsx.NoClientCert).NotAfter(), soon)
	// Certificates that issued each other end the walk too.
	a, b := certtest.NewCA(t, "a"), certtest.NewCA(t, "b")
	loop := []*x509.Certificate{a.CrossSign(t, b), b.CrossSign(t, a)}
	assert.Equal(t, tlsx.ServedNotAfter(loop), loop[0].NotAfter)
}

// holder is a program's own type, whose unexported fields fmt prints without
// calling their methods.
type holder struct {
	value   tlsx.Snapshot
	pointer *tlsx.Snapshot
	config  *tls.Config
}

func TestPrinting(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	for _, kt := range []certtest.KeyType{certtest.ECDSA, certtest.RSA, certtest.Ed25519} {
		leaf := ca.Issue(t, certtest.Template{CommonName: "server\nlevel=ERROR", KeyType: kt})
		m := tlsx.Material{Certificate: leaf.TLS(), ClientCAs: []*x509.Certificate{ca.Cert}}
		s, err := tlsx.NewSnapshot(m)
		assert.NoError(t, err)
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "snapshot", s, "material", m)
		line := log.String()
		assert.Contains(t, line, `"generation":1`, `"client_cas":1`, `"client_auth":"require"`, `"sha256":"`, `"localhost"`, `"not_after":`)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "snapshot", s, "material", m, "source", tlsx.Static(s))
		js, err := json.Marshal([]any{s})
		assert.NoError(t, err)
		texts := []string{log.String(), string(js)}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			texts = append(texts, fmt.Sprintf(verb, s), fmt.Sprintf(verb, *s), fmt.Sprintf(verb, m), fmt.Sprintf(verb, tlsx.Static(s)), fmt.Sprintf(verb, holder{*s, s, s.ServerConfig()}))
		}
		assert.NotContains(t, s.String(), "\n")
		noSecrets(t, leaf, texts...)
	}
	assert.Equal(t, new(tlsx.Snapshot).String(), "tlsx.Snapshot(empty)")
	assert.Equal(t, new(tlsx.Snapshot).LogValue().String(), "tlsx.Snapshot(empty)")
}
