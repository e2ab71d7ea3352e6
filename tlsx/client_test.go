package tlsx_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

func TestClientConfig(t *testing.T) {
	ca, other := certtest.NewCA(t, "root"), certtest.NewCA(t, "other")
	client := clientSnapshot(t, ca.Issue(t, certtest.Client), ca)
	named := certtest.Template{DNSNames: []string{"*.example.test"}, IPs: []net.IP{net.IPv6loopback}}
	clientOnly := certtest.Template{Usages: certtest.Client.Usages}
	expired := certtest.Template{Edit: past}
	svid := certtest.Template{URIs: []string{"spiffe://example.test/web"}}
	commonName := certtest.Template{CommonName: "cn.test", DNSNames: []string{"san.test"}}

	for _, tc := range []struct {
		name   string
		server *certtest.Leaf
		source tlsx.Source
		expect tlsx.ServerIdentity
		want   string // part of the error, empty for success
	}{
		{"DNS name", ca.Issue(t, certtest.Server), tlsx.Static(client), tlsx.ServerName("localhost"), ""},
		{"name in capitals", ca.Issue(t, certtest.Server), tlsx.Static(client), tlsx.ServerName("LocalHost."), ""},
		{"IP address", ca.Issue(t, certtest.Server), tlsx.Static(client), tlsx.ServerName("127.0.0.1"), ""},
		{"mapped IP address", ca.Issue(t, certtest.Server), tlsx.Static(client), tlsx.ServerName("::ffff:127.0.0.1"), ""},
		{"IPv6 address", ca.Issue(t, named), tlsx.Static(client), tlsx.ServerName("[::1]"), ""},
		{"wildcard certificate", ca.Issue(t, named), tlsx.Static(client), tlsx.ServerName("a.example.test"), ""},
		{"intermediate", ca.Intermediate(t, "mid").Issue(t, certtest.Server), tlsx.Static(client), tlsx.ServerName("localhost"), ""},
		{"wrong name", ca.Issue(t, certtest.Server), tlsx.Static(client), tlsx.ServerName("example.test"), "not the one expected"},
		{"common name", ca.Issue(t, commonName), tlsx.Static(client), tlsx.ServerName("cn.test"), "not the one expected"},
		{"wrong CA", other.Issue(t, certtest.Server), tlsx.Static(client), tlsx.ServerName("localhost"), "unknown authority"},
		{"expired", ca.Issue(t, expired), tlsx.Static(client), tlsx.ServerName("localhost"), "expired"},
		{"clientAuth only", ca.Issue(t, clientOnly), tlsx.Static(client), tlsx.ServerName("localhost"), "incompatible key usage"},
		{"matcher", ca.Issue(t, svid), tlsx.Static(client), tlsx.ServerMatching(tlsx.AllowSPIFFEID("spiffe://example.test/web")), ""},
		{"matcher of another", ca.Issue(t, svid), tlsx.Static(client), tlsx.ServerMatching(tlsx.AllowSPIFFEID("spiffe://example.test/db")), "not the one expected"},
		{"matcher, wrong CA", other.Issue(t, svid), tlsx.Static(client), tlsx.ServerMatching(tlsx.AllowTrustDomain("example.test")), "unknown authority"},
		{"matcher of nobody", ca.Issue(t, svid), tlsx.Static(client), tlsx.ServerMatching(tlsx.Matcher{}), "names nobody"},
		{"zero identity", ca.Issue(t, certtest.Server), tlsx.Static(client), tlsx.ServerIdentity{}, "tlsx.ServerName(name)"},
		{"empty name", ca.Issue(t, certtest.Server), tlsx.Static(client), tlsx.ServerName(""), "neither a DNS name nor an IP"},
		{"name with port", ca.Issue(t, certtest.Server), tlsx.Static(client), tlsx.ServerName("localhost:443"), "neither a DNS name nor an IP"},
		{"wildcard expected", ca.Issue(t, named), tlsx.Static(client), tlsx.ServerName("*.example.test"), "neither a DNS name nor an IP"},
		{"zone", ca.Issue(t, named), tlsx.Static(client), tlsx.ServerName("fe80::1%eth0"), "has a zone"},
		{"nil snapshot", ca.Issue(t, certtest.Server), tlsx.Static(nil), tlsx.ServerName("localhost"), "holds no identity"},
		{"server's snapshot", ca.Issue(t, certtest.Server), tlsx.Static(serverSnapshot(t, ca.Issue(t, certtest.Server), tlsx.RequireClientCert, ca)), tlsx.ServerName("localhost"), "is a server's"},
	} {
		for version, v := range versions {
			t.Run(tc.name+"/"+version, func(t *testing.T) {
				server := &tls.Config{Certificates: []tls.Certificate{tc.server.TLS()}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(), NextProtos: []string{"h2"}}
				_, cs, serverErr, clientErr := handshake(t, server, withVersion(tlsx.ClientConfig(tc.source, tc.expect), v))
				if tc.want == "" {
					assert.NoError(t, clientErr)
					assert.NoError(t, serverErr)
					assert.Equal(t, cs.NegotiatedProtocol, "h2")
					return
				}
				assert.ErrorContains(t, clientErr, tc.want)
				assert.True(t, serverErr != nil)
			})
		}
	}
}

func TestClientErrorType(t *testing.T) {
	ca, other := certtest.NewCA(t, "root"), certtest.NewCA(t, "other")
	client := clientSnapshot(t, ca.Issue(t, certtest.Client), ca)
	server := serverSnapshot(t, other.Issue(t, certtest.Server), tlsx.NoClientCert)
	_, _, _, err := handshake(t, server.ServerConfig(), tlsx.ClientConfig(tlsx.Static(client), tlsx.ServerName("localhost")))
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		t.Errorf("%v is no CertificateVerificationError", err)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("%v is no UnknownAuthorityError", err)
	}
}

// A client that caches sessions resumes, and is refused the moment its trust,
// or its expectation, no longer covers the server.
func TestClientResumption(t *testing.T) {
	ca, other := certtest.NewCA(t, "root"), certtest.NewCA(t, "other")
	server := serverSnapshot(t, ca.Issue(t, certtest.Server), tlsx.RequireClientCert, ca).ServerConfig()
	clientLeaf := ca.Issue(t, certtest.Client)
	for version, v := range versions {
		t.Run(version, func(t *testing.T) {
			source := &swap{clientSnapshot(t, clientLeaf, ca)}
			cfg := withVersion(tlsx.ClientConfig(source, tlsx.ServerName("localhost")), v)
			cfg.ClientSessionCache = tls.NewLRUClientSessionCache(8)
			for i := range 2 {
				_, cs, _, err := handshake(t, server, cfg)
				assert.NoError(t, err)
				assert.Equal(t, cs.DidResume, i > 0)
			}
			// Another expectation, same cache and same server name on the wire.
			stricter := withVersion(tlsx.ClientConfig(source, tlsx.ServerName("example.test")), v)
			stricter.ServerName, stricter.ClientSessionCache = "localhost", cfg.ClientSessionCache
			_, _, _, err := handshake(t, server, stricter)
			assert.ErrorContains(t, err, "not the one expected")

			source.snapshot = clientSnapshot(t, clientLeaf, other)
			_, _, _, err = handshake(t, server, cfg)
			assert.ErrorContains(t, err, "unknown authority")
		})
	}
}

// Certificate and roots follow the source.
func TestClientRotation(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	server := serverSnapshot(t, ca.Issue(t, certtest.Server), tlsx.RequireClientCert, ca).ServerConfig()
	source := &swap{}
	cfg := tlsx.ClientConfig(source, tlsx.ServerName("localhost"))
	for _, name := range []string{"one.test", "two.test"} {
		source.snapshot = clientSnapshot(t, ca.Issue(t, certtest.Template{DNSNames: []string{name}}), ca)
		ss, _, serverErr, clientErr := handshake(t, server, cfg)
		assert.NoError(t, serverErr)
		assert.NoError(t, clientErr)
		id, _ := tlsx.PeerIdentity(ss)
		assert.Equal(t, id.DNSNames(), []string{name})
	}
}
