package certscmd_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

type inspected struct {
	Targets []struct {
		Target, Kind string
		Certificates []struct {
			DNS []string
		}
		Connection struct {
			Version string `json:"tls_version"`
			ALPN    string
			Asks    bool `json:"asks_for_client_certificate"`
		}
		Findings []struct{ Severity, Code, Text string }
	}
}

// codes inspects and returns the exit code and the codes of what was found, but
// not what is only for information.
func codes(t *testing.T, args ...string) (int, []string, inspected) {
	t.Helper()
	r := run(t, append([]string{"inspect", "-o", "json"}, args...)...)
	var v inspected
	if err := json.Unmarshal([]byte(r.out), &v); err != nil {
		t.Fatalf("inspect %q: %v\n%s%s", args, err, r.out, r.err)
	}
	out := []string{}
	for _, target := range v.Targets {
		for _, f := range target.Findings {
			if f.Severity != "info" {
				out = append(out, f.Code)
			}
		}
	}
	return r.code, out, v
}

func TestInspectFiles(t *testing.T) {
	newCA(t)
	mustRun(t, "init-ca", "--ca", "other")
	mustRun(t, "issue", "--out", "api", "--dns", "api.example.com")
	mustRun(t, "issue", "--out", "web", "--profile", "client", "--spiffe", "spiffe://example.org/web")
	ca := certtest.NewCA(t, "root")
	cn := ca.Issue(t, certtest.Template{CommonName: "cn-only", URIs: []string{}, Edit: func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil }})
	cn.Write(t, ".", "cn")
	old := ca.Issue(t, certtest.Template{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	old.Write(t, ".", "old")
	late := ca.Issue(t, certtest.Template{NotBefore: time.Now().Add(time.Hour), NotAfter: time.Now().Add(2 * time.Hour)})
	late.Write(t, ".", "late")
	soon := ca.Issue(t, certtest.Template{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(time.Minute)})
	soon.Write(t, ".", "soon")
	ca.Write(t, ".", "root.crt")
	middle := ca.Intermediate(t, "middle")
	chained := middle.Issue(t, certtest.Template{})
	certtest.WriteFile(t, ".", "chained.crt", chained.CertPEM())
	certtest.WriteFile(t, ".", "disordered.crt", certtest.CertPEM(chained.Cert, cn.Cert, middle.Cert))
	for _, c := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"api"}, 0, nil},
		{[]string{"ca/ca.crt"}, 0, nil},
		{[]string{"api", "--usage", "server", "--host", "api.example.com"}, 0, nil},
		{[]string{"api", "--usage", "client"}, 3, []string{"wrong_usage"}},
		{[]string{"web", "--usage", "both"}, 3, []string{"wrong_usage"}},
		{[]string{"api", "--host", "www.example.com"}, 3, []string{"name_mismatch"}},
		{[]string{"api/tls.crt", "--key", "web/tls.key"}, 3, []string{"key_mismatch"}},
		{[]string{"api", "--ca", "other/ca.crt"}, 3, []string{"untrusted"}},
		{[]string{"api", "--warn", "2d"}, 0, []string{"expires_soon"}},
		{[]string{"api", "--warn", "2d", "--strict"}, 3, []string{"expires_soon"}},
		{[]string{"cn.crt"}, 3, []string{"no_san"}},
		{[]string{"old.crt", "--ca", "root.crt"}, 3, []string{"expired"}},
		{[]string{"late.crt", "--ca", "root.crt"}, 3, []string{"not_yet_valid"}},
		{[]string{"soon.crt"}, 0, []string{"expires_soon"}},
		{[]string{"chained.crt", "--ca", "root.crt"}, 0, nil},
		{[]string{"disordered.crt", "--ca", "root.crt"}, 0, []string{"chain_order", "chain_order"}},
		{[]string{"ca/ca.crt", "--usage", "server"}, 3, []string{"ca_as_leaf"}},
	} {
		code, got, _ := codes(t, c.args...)
		assert.Equal(t, code, c.code, c.args...)
		if !slices.Equal(got, c.want) {
			t.Errorf("inspect %q: got %q, want %q", c.args, got, c.want)
		}
	}
	table := run(t, "inspect", "api", "old.crt")
	assert.Equal(t, table.code, 3)
	assert.Contains(t, table.out, "api (directory)\n", "names    api.example.com\n", "error: certificate 1 expired at ", "(expired)\n")
	assert.Equal(t, table.err, "grpcx: problems found: 1; the report says what to do\n")

	refused(t, "neither a file nor host:port", "inspect", "none")
	refused(t, "--usage \"x\" is unknown", "inspect", "--usage", "x", "api")
	refused(t, "holds no CERTIFICATE block", "inspect", "api/tls.key")
	refused(t, "--key \"api/tls.crt\": holds no", "inspect", "--key", "api/tls.crt", "api/tls.crt")
	refused(t, "--ca \"none\"", "inspect", "--ca", "none", "api")
	refused(t, "--timeout", "inspect", "--timeout", "0s", "api")
	refused(t, "requires at least 1 arg", "inspect")
}

func TestInspectExpiresWithTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newCA(t)
		mustRun(t, "issue", "--out", "api", "--dns", "localhost", "--lifetime", "3h")
		time.Sleep(2*time.Hour - 5*time.Minute)
		code, got, _ := codes(t, "api")
		assert.Equal(t, code, 0)
		assert.Equal(t, got, []string{})
		time.Sleep(10 * time.Minute)
		_, got, _ = codes(t, "api")
		assert.Equal(t, got, []string{"expires_soon"})
		time.Sleep(time.Hour)
		code, got, _ = codes(t, "api")
		assert.Equal(t, code, 3)
		assert.Equal(t, got, []string{"expired"})
	})
}

// serve answers handshakes until the test ends.
func serve(t *testing.T, config *tls.Config) string {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
	assert.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).HandshakeContext(t.Context())
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	return ln.Addr().String()
}

func TestInspectServer(t *testing.T) {
	newCA(t)
	mustRun(t, "init-ca", "--ca", "other")
	mustRun(t, "issue", "--out", "api", "--dns", "localhost", "--ip", "127.0.0.1")
	snapshot := load(t, "api", tlsx.ForServer)
	mutual := serve(t, tlsx.ServerConfig(tlsx.Static(snapshot)))
	code, got, v := codes(t, "--ca", "ca/ca.crt", mutual)
	assert.Equal(t, code, 0)
	assert.Equal(t, got, []string{})
	assert.Equal(t, v.Targets[0].Connection.Version, "TLS 1.3")
	assert.Equal(t, v.Targets[0].Connection.ALPN, "h2")
	assert.True(t, v.Targets[0].Connection.Asks, "asks for a client certificate")

	_, got, _ = codes(t, "--ca", "other/ca.crt", "--server-name", "api.example.com", mutual)
	assert.Equal(t, got, []string{"name_mismatch", "untrusted"})

	pair, err := tls.LoadX509KeyPair("api/tls.crt", "api/tls.key")
	assert.NoError(t, err)
	code, got, _ = codes(t, serve(t, &tls.Config{Certificates: []tls.Certificate{pair}}))
	assert.Equal(t, code, 3)
	assert.Equal(t, got, []string{"alpn"})
	code, got, _ = codes(t, serve(t, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, NextProtos: []string{"h2"}}))
	assert.Equal(t, code, 3)
	assert.Equal(t, got, []string{"tls_version"})
	// Before TLS 1.3 a server ends the handshake of a client without a certificate.
	strict := &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}
	code, got, v = codes(t, serve(t, strict))
	assert.Equal(t, code, 0)
	assert.Equal(t, got, []string{})
	assert.True(t, v.Targets[0].Connection.Asks, "asks for a client certificate")
}

func TestInspectNoServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	r := run(t, "inspect", "--timeout", "100ms", ln.Addr().String()) // nobody accepts
	assert.Equal(t, r.code, 1)
	assert.Contains(t, r.err, "no answer within 100ms; check that the port speaks TLS\n")
	assert.NoError(t, ln.Close())
	r = run(t, "inspect", ln.Addr().String())
	assert.Equal(t, r.code, 1)
	assert.Contains(t, r.err, "check the address and that the server runs")
	assert.Equal(t, r.out, "")

	// What can be looked at is shown.
	newCA(t)
	r = run(t, "inspect", ln.Addr().String(), "ca/ca.crt")
	assert.Equal(t, r.code, 1)
	assert.Contains(t, r.err, "check the address and that the server runs")
	assert.Contains(t, r.out, "ca/ca.crt (file)\n")
}
