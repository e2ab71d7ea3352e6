package healthcmd_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
)

// A site is a CA, its file, and what its server and client present.
type site struct {
	ca     *certtest.CA
	caFile string
	dir    string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{ca: certtest.NewCA(t, "site CA"), dir: t.TempDir()}
	s.caFile = s.ca.Write(t, s.dir, "ca.crt")
	return s
}

// config is that of a server with a leaf from the template.
func (s *site) config(t *testing.T, tpl certtest.Template) *tls.Config {
	t.Helper()
	return &tls.Config{Certificates: []tls.Certificate{s.ca.Issue(t, tpl).TLS()}, MinVersion: tls.VersionTLS12}
}

// mutual is that of a server that requires a client certificate.
func (s *site) mutual(t *testing.T, version uint16) *tls.Config {
	t.Helper()
	config := s.config(t, certtest.Server)
	config.ClientAuth, config.ClientCAs, config.MaxVersion = tls.RequireAndVerifyClientCert, s.ca.Pool(), version
	return config
}

func (s *site) client(t *testing.T, tpl certtest.Template) []string {
	t.Helper()
	cert, key := s.ca.Issue(t, tpl).Write(t, t.TempDir(), "client")
	return []string{"--cert", cert, "--key", key}
}

func TestTLS(t *testing.T) {
	site := newSite(t)
	s := serve(t, listen(t), site.config(t, certtest.Server))
	got := run(t, s.addr, "--ca", site.caFile)
	assert.Equal(t, got.code, 0, got.errout)
	assert.Contains(t, got.out, "SERVING", "tls=1.3", "certificate_until=2")
	got = run(t, s.addr, "--tls-ca-cert", site.caFile, "--tls", "--tls-server-name", "localhost", "-o", "json")
	assert.Equal(t, got.code, 0, got.errout)
	var object struct {
		TLS struct {
			Version    string   `json:"version"`
			ServerName string   `json:"server_name"`
			Verified   bool     `json:"verified"`
			Names      []string `json:"names"`
		} `json:"tls"`
	}
	assert.NoError(t, json.Unmarshal([]byte(got.out), &object))
	assert.Equal(t, object.TLS.Version, "1.3")
	assert.Equal(t, object.TLS.ServerName, "localhost")
	assert.True(t, object.TLS.Verified)
	assert.Equal(t, object.TLS.Names, []string{"localhost", "127.0.0.1"})
	run(t, s.addr, "--ca", site.caFile, "--service", "down").wantError(t, 4, "NOT_SERVING")
}

func TestMutualTLS(t *testing.T) {
	site, other := newSite(t), newSite(t)
	expired := certtest.Client
	expired.NotBefore, expired.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			s := serve(t, listen(t), site.mutual(t, version))
			with := func(flags ...string) outcome {
				return run(t, append([]string{s.addr, "--timeout", "10s", "--ca", site.caFile}, flags...)...)
			}
			got := with(site.client(t, certtest.Client)...)
			assert.Equal(t, got.code, 0, got.errout)
			with().wantError(t, 6, "wants a client certificate", "--cert and --key")
			with(other.client(t, certtest.Client)...).wantError(t, 6, "refuses the client certificate", "client CA")
			with(site.client(t, expired)...).wantError(t, 6, "refuses the client certificate", "expired at", "renew it")
		})
	}
}

func TestServerCertificates(t *testing.T) {
	site, other := newSite(t), newSite(t)
	hour := time.Hour
	now := time.Now()
	server := func(edit func(*certtest.Template)) certtest.Template {
		tpl := certtest.Server
		edit(&tpl)
		return tpl
	}
	for _, test := range []struct {
		name  string
		tpl   certtest.Template
		flags []string
		parts []string
	}{
		{"wrong CA", certtest.Server, []string{"--ca", other.caFile}, []string{"no CA in", other.caFile, "site CA", "--ca"}},
		{"system CAs", certtest.Server, []string{"--tls"}, []string{"does not trust the issuer", "site CA", "--ca"}},
		{"expired", server(func(tpl *certtest.Template) { tpl.NotBefore, tpl.NotAfter = now.Add(-2*hour), now.Add(-hour) }), nil,
			[]string{`the server's certificate ("CN=server") expired at 2`, "renew it"}},
		{"not yet valid", server(func(tpl *certtest.Template) { tpl.NotBefore = now.Add(hour) }), nil,
			[]string{"not valid before 2", "clocks"}},
		{"wrong name", server(func(tpl *certtest.Template) { tpl.DNSNames = []string{"a.test", "b.test"} }), nil,
			[]string{`is for "a.test", "b.test" and not for "127.0.0.1"`, "--server-name"}},
		{"wrong name asked for", certtest.Server, []string{"--server-name", "c.test"},
			[]string{`is for "localhost", "127.0.0.1" and not for "c.test"`}},
		{"no names", server(func(tpl *certtest.Template) { tpl.URIs = []string{"spiffe://a/b"} }), nil,
			[]string{"holds no names", `"127.0.0.1" as a SAN`}},
		{"wrong usage", server(func(tpl *certtest.Template) { tpl.Usages = certtest.Client.Usages }), nil,
			[]string{"is not for servers", "serverAuth"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, listen(t), site.config(t, test.tpl))
			flags := test.flags
			if !strings.Contains(strings.Join(flags, " "), "--ca") && (len(flags) == 0 || flags[0] != "--tls") {
				flags = append([]string{"--ca", site.caFile}, flags...)
			}
			run(t, append([]string{s.addr, "--timeout", "10s"}, flags...)...).wantError(t, 6, append(test.parts, s.addr)...)
			got := run(t, s.addr, "--timeout", "10s", "--tls-no-verify", "-o", "json")
			assert.Equal(t, got.code, 0, got.errout)
			assert.Contains(t, got.out, `"verified":false`)
		})
	}
}

// What is wrong with a CA is not said of the server's certificate.
func TestUnfitCA(t *testing.T) {
	now, hour := time.Now(), time.Hour
	expired := func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(-2*hour), now.Add(-hour) }
	future := func(c *x509.Certificate) { c.NotBefore = now.Add(hour) }
	alone := func(c *x509.Certificate) { c.MaxPathLenZero = true }
	old, early, last, root := certtest.NewCA(t, "old CA", expired), certtest.NewCA(t, "early CA", future), certtest.NewCA(t, "last CA", alone), certtest.NewCA(t, "root")
	for _, test := range []struct {
		name           string
		issuer, anchor *certtest.CA
		parts          []string
	}{
		{"expired", old, old, []string{"CA certificate", "old CA", "expired at 2", "renew it"}},
		{"expired above an intermediate", old.Intermediate(t, "middle"), old, []string{"CA certificate", "old CA", "expired at 2"}},
		{"expired intermediate", root.Intermediate(t, "old middle", expired), root, []string{"CA certificate", "old middle", "expired at 2"}},
		{"not yet valid", early, early, []string{"CA certificate", "early CA", "not valid before 2", "clocks"}},
		{"too long a chain", last.Intermediate(t, "middle"), last, []string{"CA certificate", "last CA", "too many intermediates", "issued anew"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serve(t, listen(t), &tls.Config{Certificates: []tls.Certificate{test.issuer.Issue(t, certtest.Server).TLS()}})
			run(t, s.addr, "--ca", test.anchor.Write(t, t.TempDir(), "ca.crt")).wantError(t, 6, test.parts...)
		})
	}
}

func TestPlaintextAndTLSMixedUp(t *testing.T) {
	site := newSite(t)
	plain := serve(t, listen(t), nil)
	run(t, plain.addr, "--tls", "--timeout", "10s").wantError(t, 6, "does not speak TLS here", "leave --tls")
	secure := serve(t, listen(t), site.config(t, certtest.Server))
	run(t, secure.addr, "--timeout", "10s").wantError(t, 5, "TLS", "add --tls")
}

func TestNoCommonGround(t *testing.T) {
	site := newSite(t)
	// A TLS server that is no gRPC server offers no h2, or another protocol.
	for protocol, parts := range map[string][]string{
		"":         {"does not offer HTTP/2"},
		"http/1.1": {"does not offer HTTP/2"},
	} {
		config := site.config(t, certtest.Server)
		if protocol != "" {
			config.NextProtos = []string{protocol}
		}
		addr := raw(t, func(conn net.Conn) {
			defer conn.Close()
			_, _ = io.Copy(io.Discard, tls.Server(conn, config))
		})
		run(t, addr, "--ca", site.caFile, "--timeout", "10s").wantError(t, 6, parts...)
	}
	old := site.config(t, certtest.Server)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	s := serve(t, listen(t), old)
	run(t, s.addr, "--ca", site.caFile, "--timeout", "10s").wantError(t, 6, "protocol version not supported")
}

func TestTLSHandshakeThatHangs(t *testing.T) {
	t.Parallel()
	addr := raw(t, func(conn net.Conn) {
		defer conn.Close()
		_, _ = conn.Write([]byte{0x16, 3, 3, 1, 0}) // the head of a record
		_, _ = io.Copy(io.Discard, conn)
	})
	got := run(t, addr, "--tls", "--timeout", "300ms")
	got.wantError(t, 6, "handshake did not end within 300ms")
	within(t, got.took, 300*time.Millisecond)
	site := newSite(t)
	for _, config := range []*tls.Config{site.config(t, certtest.Server), site.mutual(t, tls.VersionTLS13)} {
		config.NextProtos = []string{"h2"}
		after := raw(t, func(conn net.Conn) {
			defer conn.Close()
			_, _ = io.Copy(io.Discard, tls.Server(conn, config))
		})
		got := run(t, append([]string{after, "--ca", site.caFile, "--timeout", "300ms"}, site.client(t, certtest.Client)...)...)
		got.wantError(t, 5, "HTTP/2 did not begin within 300ms")
		within(t, got.took, 300*time.Millisecond)
	}
	closed := raw(t, func(conn net.Conn) {
		defer conn.Close()
		_, _ = conn.Read(make([]byte, 4096))
	})
	run(t, closed, "--tls", "--timeout", "10s").wantError(t, 6, "closed the connection during the TLS handshake")
}

func TestFilesRefused(t *testing.T) {
	site := newSite(t)
	cert, key := site.ca.Issue(t, certtest.Client).Write(t, site.dir, "a")
	_, otherKey := site.ca.Issue(t, certtest.Client).Write(t, site.dir, "b")
	empty := certtest.WriteFile(t, site.dir, "empty", nil)
	broken := certtest.WriteFile(t, site.dir, "broken", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	locked := certtest.WriteFile(t, site.dir, "locked", []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"))
	large := certtest.WriteFile(t, site.dir, "large", make([]byte, 1<<20+1))
	missing := filepath.Join(site.dir, "missing")
	for _, test := range []struct{ flags, parts []string }{
		{[]string{"--ca", missing}, []string{"--ca", missing, "no such file"}},
		{[]string{"--ca", site.dir}, []string{"not a regular file"}},
		{[]string{"--ca", large}, []string{"larger than"}},
		{[]string{"--ca", empty}, []string{"holds no certificate"}},
		{[]string{"--ca", key}, []string{"holds no certificate"}},
		{[]string{"--ca", broken}, []string{"certificate 1 cannot be read"}},
		{[]string{"--cert", missing, "--key", key}, []string{"--cert", missing}},
		{[]string{"--cert", cert, "--key", missing}, []string{"--key", missing}},
		{[]string{"--cert", cert, "--key", otherKey}, []string{"does not match"}},
		{[]string{"--cert", cert, "--key", cert}, []string{"certificate and its own key"}},
		{[]string{"--cert", cert, "--key", locked}, []string{"is encrypted", "openssl pkey"}},
	} {
		got := run(t, append([]string{"127.0.0.1:1"}, test.flags...)...)
		got.wantError(t, 2, test.parts...)
		assert.NotContains(t, got.errout, "-----", "MII")
	}
}
