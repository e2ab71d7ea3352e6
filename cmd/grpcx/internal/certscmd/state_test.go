package certscmd_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
)

// Of two commands for one directory one is refused, whatever their authority.
func TestIssueToOneDirectory(t *testing.T) {
	newCA(t)
	mustRun(t, "init-ca", "--ca", "other")
	for i := range 10 {
		out := fmt.Sprint("leaf", i)
		var wg sync.WaitGroup
		results := make([]result, 4)
		for k := range results {
			ca := []string{"ca", "other"}[k%2]
			wg.Go(func() { results[k] = run(t, "issue", "--ca", ca, "--out", out, "--dns", "localhost") })
		}
		wg.Wait()
		won := 0
		for _, r := range results {
			if r.code == 0 {
				won++
			}
		}
		assert.Equal(t, won, 1, fmt.Sprint(results))
		load(t, out, tlsx.ForServer)
		entries, err := os.ReadDir(out)
		assert.NoError(t, err)
		assert.Equal(t, len(entries), 5, names(entries))
	}
}

// What an interrupted command left is no certificate; a plain file is one.
func TestIssueOverRemains(t *testing.T) {
	newCA(t)
	assert.NoError(t, os.MkdirAll("api/..2026_01_02_03_04_05.123", 0o755))
	for _, name := range []string{"tls.crt", "tls.key"} {
		assert.NoError(t, os.Symlink("..data/"+name, "api/"+name))
	}
	mustRun(t, "issue", "--out", "api", "--dns", "localhost")
	load(t, "api", tlsx.ForServer)
	entries, err := os.ReadDir("api")
	assert.NoError(t, err)
	assert.Equal(t, len(entries), 5, names(entries))

	for _, name := range []string{"tls.crt", "tls.key", "ca.crt"} {
		dir := "plain-" + name
		assert.NoError(t, os.Mkdir(dir, 0o755))
		write(t, filepath.Join(dir, name), "x")
		refused(t, "holds "+name+" already", "issue", "--out", dir, "--dns", "localhost")
	}
	assert.NoError(t, os.Symlink("nowhere", "dangling"))
	refused(t, "leads nowhere", "issue", "--out", "dangling", "--dns", "localhost")
	// A link to a directory is followed.
	assert.NoError(t, os.Mkdir("elsewhere", 0o755))
	assert.NoError(t, os.Symlink("elsewhere", "linked"))
	mustRun(t, "issue", "--out", "linked", "--dns", "localhost")
	load(t, "elsewhere", tlsx.ForServer)
	mustRun(t, "renew", "--force", "linked")
	load(t, "elsewhere", tlsx.ForServer)
}

// A batch that cannot be written to its end tells how far it came, and can be
// taken up from there.
func TestIssueBatchHalfway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newCA(t)
		write(t, "fleet.csv", fleetCSV)
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		r := runPaced(ctx, t, time.Second, "issue", "--out", "fleet", "--batch", "fleet.csv")
		assert.Equal(t, r.code, 1)
		assert.Equal(t, strings.Count(r.out, "\n"), 2, r.out)
		assert.Equal(t, r.err, "grpcx: wrote 1 of 3 certificates\n"+
			"grpcx: interrupted before \"fleet/mesh\" (certificate 3 of 3); issue that and those after it again\n")
		load(t, "fleet/web", tlsx.ForClient)
		assert.Equal(t, len(readIndex(t).Certificates), 3)
		if _, err := os.Stat("fleet/mesh"); err == nil {
			t.Error("the third was written")
		}
		refused(t, "2 problems: ", "issue", "--out", "fleet", "--batch", "fleet.csv")
		write(t, "rest.csv", "name,profile,spiffe\nmesh,both,spiffe://example.org/mesh\n")
		mustRun(t, "issue", "--out", "fleet", "--batch", "rest.csv")
		load(t, "fleet/mesh", tlsx.ForBoth)

		write(t, "more.csv", "name,dns\none,localhost\ntwo,localhost\n")
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		r = runContext(ctx, t, "issue", "--out", "more", "--batch", "more.csv", "-o", "json")
		assert.Equal(t, r.code, 1)
		assert.Contains(t, r.err, "interrupted; nothing was issued")
		assert.Equal(t, r.out, "")
	})
}

// An index from a backup has forgotten what came later; files make up for it.
func TestRestoredIndex(t *testing.T) {
	newCA(t)
	mustRun(t, "init-ca", "--ca", "other")
	backup, err := os.ReadFile("ca/index.json")
	assert.NoError(t, err)
	mustRun(t, "issue", "--out", "web", "--profile", "client", "--spiffe", "spiffe://example.org/web")
	mustRun(t, "issue", "--out", "api", "--dns", "localhost")
	mustRun(t, "crl", "--out", "ca.crl")
	mustRun(t, "crl", "--out", "ca.crl")
	assert.NoError(t, os.WriteFile("ca/index.json", backup, 0o600))

	refused(t, "is not in the index", "revoke", "--serial", fmt.Sprintf("%x", load(t, "web", tlsx.ForClient).Leaf().SerialNumber))
	assert.Contains(t, mustRun(t, "revoke", "web"), "spiffe://example.org/web: revoked at ")
	assert.Contains(t, mustRun(t, "crl", "--out", "ca.crl"), "list 3 of 1 revoked")
	assert.ErrorContains(t, handshake(t, "api", "web", "ca.crl"), "revoked")
	assert.Equal(t, readIndex(t).CRLNumber, 3)

	refused(t, "is the list of another authority", "crl", "--ca", "other", "--out", "ca.crl")
	refused(t, "is in no directory", "crl", "--out", "none/ca.crl")
	write(t, "cut.crl", string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte{0x30}})))
	refused(t, "is there and no valid list", "crl", "--out", "cut.crl")
	refused(t, "is the authority itself", "revoke", "ca/ca.crt")
}

func readCert(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	data, err := os.ReadFile(path)
	assert.NoError(t, err)
	block, _ := pem.Decode(data)
	cert, err := x509.ParseCertificate(block.Bytes)
	assert.NoError(t, err)
	return cert
}

// RFC 5280, sections 4.1.2.2, 4.2.1.1 to 4.2.1.3 and 4.2.1.9.
func TestCertificateForm(t *testing.T) {
	newCA(t, "--permit-dns", "Example.com")
	mustRun(t, "issue", "--out", "api", "--dns", "api.example.com")
	ca, leaf := readCert(t, "ca/ca.crt"), readCert(t, "api/tls.crt")
	assert.True(t, ca.IsCA && ca.BasicConstraintsValid && ca.MaxPathLenZero && ca.MaxPathLen == 0)
	assert.Equal(t, ca.KeyUsage, x509.KeyUsageCertSign|x509.KeyUsageCRLSign)
	assert.Equal(t, ca.PermittedDNSDomains, []string{"example.com"})
	assert.True(t, ca.PermittedDNSDomainsCritical)
	assert.True(t, !leaf.IsCA && leaf.BasicConstraintsValid)
	assert.Equal(t, leaf.KeyUsage, x509.KeyUsageDigitalSignature)
	assert.Equal(t, leaf.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth})
	assert.Equal(t, leaf.AuthorityKeyId, ca.SubjectKeyId)
	assert.Equal(t, len(leaf.SubjectKeyId), 20)
	for _, cert := range []*x509.Certificate{ca, leaf} {
		bits := cert.SerialNumber.BitLen()
		assert.Equal(t, bits, 127, "of 160 at most")
		for _, e := range cert.Extensions {
			switch e.Id.String() {
			case "2.5.29.15", "2.5.29.19", "2.5.29.30": // key usage, basic and name constraints
				assert.True(t, e.Critical, e.Id.String())
			case "2.5.29.17": // a subject alternative name is critical where there is no subject
				assert.True(t, e.Critical == (len(cert.Subject.Names) == 0))
			}
		}
	}
	assert.Equal(t, ca.Subject.String(), leaf.Issuer.String())
	for path, mode := range map[string]os.FileMode{"ca": 0o700, "ca/ca.key": 0o600, "ca/index.json": 0o600, "ca/ca.crt": 0o644, "api": 0o755, "api/tls.key": 0o600, "api/tls.crt": 0o644} {
		info, err := os.Stat(path)
		assert.NoError(t, err)
		assert.Equal(t, info.Mode().Perm(), mode, path)
	}
}

// An empty directory, which may be a mount, is filled and not replaced.
func TestInitCAInPlace(t *testing.T) {
	t.Chdir(t.TempDir())
	assert.NoError(t, os.Mkdir("ca", 0o755))
	before, err := os.Stat("ca")
	assert.NoError(t, err)
	mustRun(t, "init-ca")
	after, err := os.Stat("ca")
	assert.NoError(t, err)
	assert.True(t, os.SameFile(before, after), "the directory stays")
	assert.Equal(t, after.Mode().Perm(), os.FileMode(0o700))
	mustRun(t, "issue", "--out", "api", "--dns", "localhost")

	// Of several commands one makes the authority.
	for i := range 10 {
		dir := fmt.Sprint("new", i)
		if i%2 == 0 {
			assert.NoError(t, os.Mkdir(dir, 0o755))
		}
		var wg sync.WaitGroup
		codes := make([]int, 4)
		for k := range codes {
			wg.Go(func() { codes[k] = run(t, "init-ca", "--ca", dir).code })
		}
		wg.Wait()
		won := 0
		for _, code := range codes {
			if code == 0 {
				won++
			}
		}
		assert.Equal(t, won, 1)
		mustRun(t, "issue", "--ca", dir, "--out", "leaf-"+dir, "--dns", "localhost")
	}
	left, err := filepath.Glob(".grpcx-*")
	assert.NoError(t, err)
	assert.Equal(t, left, []string(nil))
}

func TestInitCACFSSL(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "ca-csr.json", caCSRJSON)
	mustRun(t, "init-ca", "--cfssl-csr", "ca-csr.json")
	ca := readCert(t, "ca/ca.crt")
	assert.Equal(t, ca.Subject.String(), "CN=Legacy CA,O=Example,C=DE")
	assert.Equal(t, ca.NotAfter.Sub(ca.NotBefore), 8760*time.Hour+5*time.Minute)
	assert.Equal(t, ca.SignatureAlgorithm, x509.ECDSAWithSHA384)
	init := func(args ...string) []string {
		return append([]string{"init-ca", "--ca", "new", "--cfssl-csr"}, args...)
	}
	refused(t, "--cn contradicts --cfssl-csr", init("ca-csr.json", "--cn", "x")...)
	refused(t, "--lifetime contradicts --cfssl-csr", init("ca-csr.json", "--lifetime", "1h")...)
	refused(t, "check the path", init("none")...)
	for content, want := range map[string]string{
		`{"hosts": ["a.example.com"]}`:              `"hosts" of an authority`,
		`{"ca": {"pathlen": 2}}`:                    "pathlen 2 is not supported",
		`{"ca": {"expiry": "1y"}}`:                  "is not a duration in range",
		`{"ca": {"backdate": "1h"}}`:                `the field "backdate" is not supported`,
		`{"names": [{"C": "Germany"}]}`:             `C "Germany" is too long`,
		`{"key": {"algo": "rsa", "size": 1024}}`:    "is not supported",
		`{"key": {"algo": "ecdsa"}, "x": {"y": 1}}`: `the field "x" is not supported`,
	} {
		write(t, "bad.json", content)
		refused(t, want, init("bad.json")...)
	}
}

// A directory that cannot be renewed keeps no other from it, and one that never
// could be is found before any is.
func TestRenewSeveral(t *testing.T) {
	newCA(t)
	mustRun(t, "init-ca", "--ca", "other")
	for _, name := range []string{"a", "b", "c"} {
		mustRun(t, "issue", "--out", name, "--dns", "localhost")
	}
	mustRun(t, "issue", "--ca", "other", "--out", "foreign", "--dns", "localhost")
	refused(t, "\"foreign\": the certificate was not issued by", "renew", "--force", "a", "foreign", "b")
	mustRun(t, "revoke", "b")
	r := run(t, "renew", "--force", "-o", "json", "a", "b", "c")
	assert.Equal(t, r.code, 1)
	assert.Contains(t, r.err, "\"b\": the certificate was revoked at")
	var renewed []string
	for dec := json.NewDecoder(strings.NewReader(r.out)); dec.More(); {
		var v struct{ Directory string }
		assert.NoError(t, dec.Decode(&v))
		renewed = append(renewed, v.Directory)
	}
	assert.Equal(t, renewed, []string{"a", "c"})
}

// Of many loops over one directory, one renews it each time.
func TestRenewLoopsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newCA(t)
		mustRun(t, "issue", "--out", "api", "--dns", "localhost", "--lifetime", "3h")
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Hour+time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		results := make([]result, 3)
		for i := range results {
			wg.Go(func() { results[i] = runContext(ctx, t, "renew", "--loop", "--jitter", "0", "api") })
		}
		wg.Wait()
		renewed := 0
		for _, r := range results {
			assert.Equal(t, r.code, 0)
			assert.Equal(t, r.err, "")
			renewed += strings.Count(r.out, "renewed for")
		}
		assert.Equal(t, renewed, 3)
	})
}
