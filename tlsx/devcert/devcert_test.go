package devcert_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// meet runs one handshake between two sources.
func meet(t *testing.T, server, client tlsx.Source, name string) (tlsx.Identity, error) {
	t.Helper()
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	s := tls.Server(a, tlsx.ServerConfig(server))
	done := make(chan error, 1)
	go func() { done <- s.Handshake() }()
	c := tls.Client(b, tlsx.ClientConfig(client, tlsx.ServerName(name)))
	err := c.Handshake()
	if err != nil {
		_ = b.Close()
		<-done
		return tlsx.Identity{}, err
	}
	go func() { _, _ = io.Copy(io.Discard, c) }()
	if err := <-done; err != nil {
		return tlsx.Identity{}, err
	}
	id, _ := tlsx.PeerIdentity(s.ConnectionState())
	return id, nil
}

func TestNew(t *testing.T) {
	a, err := devcert.New(devcert.Hosts("api.localhost", "127.0.0.9"))
	assert.NoError(t, err)
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "api.localhost", "127.0.0.9"} {
		id, err := meet(t, a.ServerSource(), a.ClientSource(), name)
		assert.NoError(t, err, name)
		assert.Equal(t, id.DNSNames(), []string{"client.localhost"})
	}
	_, err = meet(t, a.ServerSource(), a.ClientSource(), "other.localhost")
	assert.ErrorContains(t, err, "not the one expected")

	b, err := devcert.New()
	assert.NoError(t, err)
	_, err = meet(t, a.ServerSource(), b.ClientSource(), "localhost")
	assert.ErrorContains(t, err, "unknown authority")

	assert.True(t, a.ServerSource().Current().Development())
	assert.True(t, a.ClientSource().Current().Development())
	assert.Equal(t, a.ServerFiles(), tlsx.Files{})
	assert.Equal(t, a.ClientFiles(), tlsx.Files{})
	assert.Equal(t, a.CAFile(), "")
	left := time.Until(a.NotAfter())
	assert.True(t, left > 23*time.Hour && left <= 24*time.Hour)
	assert.True(t, a.CA().MaxPathLenZero && a.CA().PermittedDNSDomainsCritical)
}

func TestOptions(t *testing.T) {
	for name, tc := range map[string]struct {
		opt  devcert.Option
		want []string
	}{
		"nil":              {nil, []string{"option 0 is nil"}},
		"no life":          {devcert.Lifetime(0), []string{"Lifetime(0s)", "168h"}},
		"long life":        {devcert.Lifetime(169 * time.Hour), []string{"Lifetime(169h"}},
		"public name":      {devcert.Hosts("example.com"), []string{`"example.com"`, "one machine"}},
		"look-alike":       {devcert.Hosts("evillocalhost"), []string{"evillocalhost"}},
		"localhost as TLD": {devcert.Hosts("localhost.example.com"), []string{"localhost.example.com"}},
		"wildcard":         {devcert.Hosts("*.localhost"), []string{"*.localhost"}},
		"empty":            {devcert.Hosts(""), []string{`""`}},
		"any address":      {devcert.Hosts("0.0.0.0"), []string{"not a loopback address"}},
		"LAN":              {devcert.Hosts("192.168.0.1"), []string{"not a loopback address"}},
		"two":              {devcert.Hosts("a.test", "b.test"), []string{"a.test", "b.test"}},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := devcert.New(tc.opt)
			assert.True(t, a == nil)
			assert.ErrorContains(t, err, tc.want...)
		})
	}
}

// A leaked authority must be of no use: what the constraint forbids does not
// verify, whatever kind of name is used.
func TestNameConstraint(t *testing.T) {
	a, err := devcert.New()
	assert.NoError(t, err)
	// The authority's key is gone, so a twin with the same constraints signs.
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	assert.NoError(t, err)
	template := *a.CA()
	template.PublicKey, template.SubjectKeyId, template.AuthorityKeyId = key.Public(), nil, nil
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	assert.NoError(t, err)
	twin, err := x509.ParseCertificate(der)
	assert.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(twin)
	for name, tc := range map[string]struct {
		edit func(*x509.Certificate)
		ok   bool
	}{
		"localhost":      {func(c *x509.Certificate) { c.DNSNames = []string{"x.localhost"} }, true},
		"loopback":       {func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 1, 2, 3), net.IPv6loopback} }, true},
		"public name":    {func(c *x509.Certificate) { c.DNSNames = []string{"example.com"} }, false},
		"public address": {func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(8, 8, 8, 8)} }, false},
		"IPv6 address":   {func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("2001:db8::1")} }, false},
		"SPIFFE ID":      {func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "spiffe", Host: "prod", Path: "/a"}} }, false},
		"mail":           {func(c *x509.Certificate) { c.EmailAddresses = []string{"a@example.com"} }, false},
		"CA":             {func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }, true},
	} {
		t.Run(name, func(t *testing.T) {
			leaf := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "x"}, NotBefore: twin.NotBefore, NotAfter: twin.NotAfter}
			tc.edit(leaf)
			der, err := x509.CreateCertificate(rand.Reader, leaf, twin, key.Public(), key)
			assert.NoError(t, err)
			cert, err := x509.ParseCertificate(der)
			assert.NoError(t, err)
			_, err = cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
			assert.Equal(t, err == nil, tc.ok)
			if !cert.IsCA {
				return
			}
			// It may exist, but nothing below it verifies.
			leaf = &x509.Certificate{SerialNumber: big.NewInt(8), Subject: pkix.Name{CommonName: "y"}, DNSNames: []string{"localhost"}, NotBefore: twin.NotBefore, NotAfter: twin.NotAfter}
			der, err = x509.CreateCertificate(rand.Reader, leaf, cert, key.Public(), key)
			assert.NoError(t, err)
			below, err := x509.ParseCertificate(der)
			assert.NoError(t, err)
			mids := x509.NewCertPool()
			mids.AddCert(cert)
			_, err = below.Verify(x509.VerifyOptions{Roots: roots, Intermediates: mids})
			assert.ErrorContains(t, err, "too many intermediates")
		})
	}
}

func TestDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	a, err := devcert.Dir(dir)
	assert.NoError(t, err)
	b, err := devcert.Dir(dir)
	assert.NoError(t, err)
	assert.True(t, a.CA().Equal(b.CA()), "used again")
	_, err = meet(t, a.ServerSource(), b.ClientSource(), "localhost")
	assert.NoError(t, err)

	server, err := tlsx.Load(a.ServerFiles())
	assert.NoError(t, err)
	client, err := tlsx.Load(a.ClientFiles())
	assert.NoError(t, err)
	_, err = meet(t, tlsx.Static(server), tlsx.Static(client), "127.0.0.1")
	assert.NoError(t, err)

	entries, err := os.ReadDir(dir)
	assert.NoError(t, err)
	modes := map[string]os.FileMode{}
	for _, e := range entries {
		info, err := e.Info()
		assert.NoError(t, err)
		modes[e.Name()] = info.Mode().Perm()
	}
	if runtime.GOOS != "windows" {
		assert.Equal(t, modes, map[string]os.FileMode{"ca.crt": 0o644, "server.crt": 0o644, "server.key": 0o600, "client.crt": 0o644, "client.key": 0o600})
		info, err := os.Stat(dir)
		assert.NoError(t, err)
		assert.Equal(t, info.Mode().Perm(), os.FileMode(0o700))
	}
}

func TestDirReplaces(t *testing.T) {
	for name, tc := range map[string]struct {
		damage func(t *testing.T, a *devcert.Authority)
		opts   []devcert.Option
	}{
		"missing key": {damage: func(t *testing.T, a *devcert.Authority) { assert.NoError(t, os.Remove(a.ClientFiles().Key)) }},
		"missing CA":  {damage: func(t *testing.T, a *devcert.Authority) { assert.NoError(t, os.Remove(a.CAFile())) }},
		"truncated": {damage: func(t *testing.T, a *devcert.Authority) {
			assert.NoError(t, os.Truncate(a.ServerFiles().Cert, 200))
		}},
		"mixed": {damage: func(t *testing.T, a *devcert.Authority) {
			other, err := devcert.Dir(t.TempDir())
			assert.NoError(t, err)
			ca, err := os.ReadFile(other.CAFile())
			assert.NoError(t, err)
			assert.NoError(t, os.WriteFile(a.CAFile(), ca, 0o644))
		}},
		"new host":     {opts: []devcert.Option{devcert.Hosts("api.localhost")}},
		"shorter life": {opts: []devcert.Option{devcert.Lifetime(2 * time.Hour)}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			a, err := devcert.Dir(dir)
			assert.NoError(t, err)
			if tc.damage != nil {
				tc.damage(t, a)
			}
			b, err := devcert.Dir(dir, tc.opts...)
			assert.NoError(t, err)
			assert.True(t, !a.CA().Equal(b.CA()), "replaced")
			assert.True(t, !a.ServerSource().Current().Leaf().Equal(b.ServerSource().Current().Leaf()), "as a whole")
			_, err = meet(t, b.ServerSource(), b.ClientSource(), "localhost")
			assert.NoError(t, err)
			c, err := devcert.Dir(dir, tc.opts...)
			assert.NoError(t, err)
			assert.True(t, b.CA().Equal(c.CA()), "then used again")
		})
	}
}

// The set is replaced an hour before it expires, at the very second.
func TestDirExpiry(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, err := devcert.Dir(dir)
		assert.NoError(t, err)
		time.Sleep(23*time.Hour - time.Second)
		b, err := devcert.Dir(dir)
		assert.NoError(t, err)
		assert.True(t, a.CA().Equal(b.CA()), "used again with more than an hour left")
		time.Sleep(time.Second)
		c, err := devcert.Dir(dir)
		assert.NoError(t, err)
		assert.True(t, !a.CA().Equal(c.CA()), "replaced with an hour left")
	})
}

func TestDirRefuses(t *testing.T) {
	_, err := devcert.Dir("")
	assert.ErrorContains(t, err, "needs a path")

	dir := t.TempDir()
	theirs := filepath.Join(dir, "server.key")
	assert.NoError(t, os.WriteFile(theirs, []byte("-----BEGIN PRIVATE KEY-----\n"), 0o600))
	_, err = devcert.Dir(dir)
	assert.ErrorContains(t, err, "server.key", "left alone")
	got, err := os.ReadFile(theirs)
	assert.NoError(t, err)
	assert.Equal(t, string(got), "-----BEGIN PRIVATE KEY-----\n")
	entries, err := os.ReadDir(dir)
	assert.NoError(t, err)
	assert.Equal(t, len(entries), 1, "nothing is written")

	file := filepath.Join(dir, "file")
	assert.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = devcert.Dir(file)
	assert.ErrorContains(t, err, "create the directory")

	linked := t.TempDir()
	assert.NoError(t, os.Symlink(theirs, filepath.Join(linked, "ca.crt")))
	_, err = devcert.Dir(linked)
	assert.ErrorContains(t, err, "ca.crt", "left alone")

	if runtime.GOOS != "windows" {
		open := t.TempDir()
		assert.NoError(t, os.Chmod(open, 0o777))
		_, err = devcert.Dir(open)
		assert.ErrorContains(t, err, "every user may write")
	}
}

// Programs that start together agree on one set.
func TestDirConcurrent(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("directories have no lock on Windows")
	}
	dir := t.TempDir()
	var group sync.WaitGroup
	found := make([]*devcert.Authority, 8)
	for i := range found {
		group.Go(func() {
			a, err := devcert.Dir(dir)
			if err != nil {
				t.Error(err)
				return
			}
			found[i] = a
		})
	}
	group.Wait()
	for _, a := range found[1:] {
		if a == nil || found[0] == nil || !a.CA().Equal(found[0].CA()) {
			t.Fatal("two sets were made")
		}
	}
}

// No file holds the authority's key.
func TestDirHasNoAuthorityKey(t *testing.T) {
	a, err := devcert.Dir(t.TempDir())
	assert.NoError(t, err)
	for _, s := range []tlsx.Source{a.ServerSource(), a.ClientSource()} {
		assert.True(t, !a.CA().PublicKey.(*ecdsa.PublicKey).Equal(s.Current().Leaf().PublicKey))
	}
	ca, err := os.ReadFile(a.CAFile())
	assert.NoError(t, err)
	assert.True(t, !bytes.Contains(ca, []byte("PRIVATE KEY")))
	entries, err := os.ReadDir(filepath.Dir(a.CAFile()))
	assert.NoError(t, err)
	assert.Equal(t, len(entries), 5)
}

func TestOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl on this machine to compare with")
	}
	a, err := devcert.Dir(t.TempDir())
	assert.NoError(t, err)
	run := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), openssl, args...).CombinedOutput()
		assert.NoError(t, err, string(out))
		return string(out)
	}
	run("verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "localhost", "-CAfile", a.CAFile(), a.ServerFiles().Cert)
	run("verify", "-x509_strict", "-purpose", "sslserver", "-verify_ip", "::1", "-CAfile", a.CAFile(), a.ServerFiles().Cert)
	run("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", a.CAFile(), a.ClientFiles().Cert)
	for _, f := range []tlsx.Files{a.ServerFiles(), a.ClientFiles()} {
		run("pkey", "-check", "-noout", "-in", f.Key)
		assert.Equal(t, run("pkey", "-pubout", "-in", f.Key), run("x509", "-pubkey", "-noout", "-in", f.Cert))
	}
	assert.Contains(t, run("x509", "-text", "-noout", "-in", a.CAFile()), "Name Constraints: critical", "pathlen:0")
}
