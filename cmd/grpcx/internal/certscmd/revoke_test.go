package certscmd_test

import (
	"crypto/tls"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
)

// handshake connects a client with the files of one directory to a server with
// those of another, and returns the server's error.
func handshake(t *testing.T, server, client string, crls ...string) error {
	t.Helper()
	s, err := tlsx.Load(tlsx.Files{Cert: server + "/tls.crt", Key: server + "/tls.key", ClientCA: server + "/ca.crt", CRL: crls})
	assert.NoError(t, err)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", tlsx.ServerConfig(tlsx.Static(s)))
	assert.NoError(t, err)
	defer func() { _ = ln.Close() }()
	done := make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err == nil {
			err = conn.(*tls.Conn).HandshakeContext(t.Context())
			_ = conn.Close()
		}
		done <- err
	}()
	config := tlsx.ClientConfig(tlsx.Static(load(t, client, tlsx.ForClient)), tlsx.ServerName("localhost"))
	if conn, err := tls.Dial("tcp", ln.Addr().String(), config); err == nil {
		_, _ = conn.Read(make([]byte, 1)) // the server's verdict comes after the handshake
		_ = conn.Close()
	}
	return <-done
}

func TestRevokeAndCRL(t *testing.T) {
	newCA(t)
	mustRun(t, "issue", "--out", "api", "--dns", "localhost")
	mustRun(t, "issue", "--out", "web", "--profile", "client", "--spiffe", "spiffe://example.org/web")
	assert.Contains(t, mustRun(t, "crl", "--out", "ca.crl"), "list 1 of 0 revoked")
	assert.NoError(t, handshake(t, "api", "web", "ca.crl"))

	out := mustRun(t, "revoke", "--reason", "keyCompromise", "web")
	assert.Contains(t, out, "web: revoked at ", "(keyCompromise)")
	assert.Contains(t, mustRun(t, "revoke", "web/tls.crt"), "was revoked before", "(keyCompromise)")
	var v struct {
		Number, Revoked int
		This            time.Time `json:"this_update"`
		Next            time.Time `json:"next_update"`
	}
	assert.NoError(t, json.Unmarshal([]byte(mustRun(t, "crl", "--out", "ca.crl", "-o", "json")), &v))
	assert.Equal(t, v.Number, 2)
	assert.Equal(t, v.Revoked, 1)
	assert.Equal(t, v.Next.Sub(v.This), 7*24*time.Hour+5*time.Minute) // for clocks that are behind
	err := handshake(t, "api", "web", "ca.crl")
	assert.ErrorContains(t, err, "revoked")
}

func TestRevokeRefuses(t *testing.T) {
	newCA(t)
	mustRun(t, "init-ca", "--ca", "other")
	mustRun(t, "issue", "--ca", "other", "--out", "foreign", "--dns", "localhost")
	mustRun(t, "issue", "--out", "api", "--dns", "localhost")
	refused(t, "no certificate is named", "revoke")
	refused(t, "reason \"bored\" is unknown", "revoke", "--reason", "bored", "api")
	refused(t, "was not issued by --ca", "revoke", "api", "foreign")
	refused(t, "is not in the index", "revoke", "api", "--serial", "ab:cd")
	refused(t, "is not hexadecimal", "revoke", "--serial", "xyz")
	refused(t, "check the path", "revoke", "none")
	refused(t, "holds no CERTIFICATE block", "revoke", "ca/ca.key")
	refused(t, "--out is missing", "crl")
	refused(t, "is there and no list", "crl", "--out", "api/tls.key")
	refused(t, "is there and no list", "crl", "--out", "ca/ca.key")
}

// A damaged authority is refused with the file's name, and left alone.
func TestDamagedAuthority(t *testing.T) {
	for name, c := range map[string]struct {
		damage func() error
		want   string
	}{
		"index lost":    {func() error { return os.Remove("ca/index.json") }, "index.json"},
		"index cut":     {func() error { return os.WriteFile("ca/index.json", []byte(`{"version": 1,`), 0o600) }, "restore the file from a backup"},
		"index newer":   {func() error { return os.WriteFile("ca/index.json", []byte(`{"version": 2}`), 0o600) }, "has version 2"},
		"key public":    {func() error { return os.Chmod("ca/ca.key", 0o644) }, "chmod 0600"},
		"key damaged":   {func() error { return os.WriteFile("ca/ca.key", []byte("x"), 0o600) }, "holds no unencrypted PRIVATE KEY"},
		"key of other":  {func() error { return os.Rename("other/ca.key", "ca/ca.key") }, "is not the key of ca.crt"},
		"cert is leaf":  {func() error { return copyFile("api/tls.crt", "ca/ca.crt") }, "is no certificate of an authority"},
		"cert is empty": {func() error { return os.WriteFile("ca/ca.crt", nil, 0o600) }, "holds no CERTIFICATE block"},
	} {
		t.Run(name, func(t *testing.T) {
			newCA(t)
			mustRun(t, "init-ca", "--ca", "other")
			mustRun(t, "issue", "--out", "api", "--dns", "localhost")
			assert.NoError(t, c.damage())
			refused(t, c.want, "issue", "--out", "new", "--dns", "localhost")
			refused(t, c.want, "crl", "--out", "ca.crl")
			refused(t, c.want, "revoke", "api")
			refused(t, c.want, "renew", "--force", "api")
		})
	}
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o600)
}

func TestInitCARefuses(t *testing.T) {
	newCA(t)
	refused(t, "is not empty", "init-ca")
	for want, args := range map[string][]string{
		"is not a domain":           {"--permit-dns", "*.example.com"},
		"is not a network":          {"--permit-ip", "10.0.0.1"},
		"is not a host":             {"--permit-uri", "spiffe://example.org"},
		"key \"dsa\" is unknown":    {"--key", "dsa"},
		"too long or not printable": {"--cn", "a\nb"},
		"--org ":                    {"--org", "a\tb"},
		"unknown command":           {"extra"},
	} {
		refused(t, want, append([]string{"init-ca", "--ca", "new"}, args...)...)
	}
}
