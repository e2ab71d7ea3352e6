package tlsx_test

import (
	"crypto/x509"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// One certificate may serve and connect, when it permits both.
func TestUsageForBoth(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	for name, usages := range map[string][]x509.ExtKeyUsage{
		"both": nil, // certtest's default
		"none": {},
		"any":  {x509.ExtKeyUsageAny},
	} {
		t.Run(name, func(t *testing.T) {
			leaf := ca.Issue(t, certtest.Template{Usages: usages})
			s, err := tlsx.NewSnapshot(tlsx.Material{Certificate: leaf.TLS(), ClientCAs: []*x509.Certificate{ca.Cert}, Usage: tlsx.ForBoth})
			assert.NoError(t, err)
			ss, _, serverErr, clientErr := handshake(t, s.ServerConfig(), tlsx.ClientConfig(tlsx.Static(s), tlsx.ServerName("localhost")))
			assert.NoError(t, serverErr)
			assert.NoError(t, clientErr)
			id, err := s.Recheck(ss, leaf.Cert.NotAfter)
			assert.NoError(t, err)
			assert.Equal(t, id.DNSNames(), []string{"localhost"})
		})
	}
	for _, tpl := range []certtest.Template{certtest.Server, certtest.Client} {
		_, err := tlsx.NewSnapshot(tlsx.Material{Certificate: ca.Issue(t, tpl).TLS(), ClientCAs: []*x509.Certificate{ca.Cert}, Usage: tlsx.ForBoth})
		assert.ErrorContains(t, err, "extended key usages lack")
	}
}

func TestTextForms(t *testing.T) {
	for _, a := range []tlsx.ClientAuth{tlsx.RequireClientCert, tlsx.VerifyClientCertIfGiven, tlsx.NoClientCert} {
		text, err := a.MarshalText()
		assert.NoError(t, err)
		back := tlsx.ClientAuth(-1)
		assert.NoError(t, back.UnmarshalText(text))
		assert.Equal(t, back, a)
	}
	for _, u := range []tlsx.Usage{tlsx.ForServer, tlsx.ForClient, tlsx.ForBoth} {
		text, err := u.MarshalText()
		assert.NoError(t, err)
		back := tlsx.Usage(-1)
		assert.NoError(t, back.UnmarshalText(text))
		assert.Equal(t, back, u)
	}
	_, err := tlsx.ClientAuth(3).MarshalText()
	assert.ErrorContains(t, err, "ClientAuth(3)", "RequireClientCert")
	_, err = tlsx.Usage(3).MarshalText()
	assert.ErrorContains(t, err, "Usage(3)", "ForServer")
}
