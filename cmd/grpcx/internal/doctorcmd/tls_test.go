package doctorcmd_test

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/doctorcmd"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// writeFiles writes tls.crt, tls.key, ca.crt and ca.crl, and returns their CA.
func writeFiles(t *testing.T, dir string) *certtest.CA {
	t.Helper()
	ca := certtest.NewCA(t, "doctor CA")
	ca.Issue(t, certtest.Server).Write(t, dir, "tls")
	ca.Write(t, dir, "ca.crt")
	writeCRL(t, ca, dir, time.Now().Add(time.Hour))
	return ca
}

func writeCRL(t *testing.T, ca *certtest.CA, dir string, next time.Time) {
	t.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: next.Add(-2 * time.Hour), NextUpdate: next,
	}, ca.Cert, ca.Key)
	assert.NoError(t, err)
	certtest.WriteFile(t, dir, "ca.crl", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

func TestFiles(t *testing.T) {
	now := time.Now()
	clock := func(f *doctorcmd.Fake) {
		f.Clock, f.Built = []doctorcmd.Instant{{now, 0}}, now.AddDate(0, -1, 0)
	}
	type want struct{ id, level, text, remedy string }
	mtls := []string{"--cert", "tls.crt", "--key", "tls.key", "--client-ca", "ca.crt"}
	for _, test := range []struct {
		name string
		edit func(t *testing.T, ca *certtest.CA) // of the files
		args []string
		want []want
	}{
		{"good", func(*testing.T, *certtest.CA) {}, append(mtls, "--crl", "ca.crl"), nil},
		{"no client certificates", func(*testing.T, *certtest.CA) {}, []string{"--cert", "tls.crt", "--key", "tls.key", "--client-auth", "none"}, nil},
		{"no client CA", func(*testing.T, *certtest.CA) {}, []string{"--cert", "tls.crt", "--key", "tls.key"},
			[]want{{"tls.client-ca", "error", "no client certificate can be verified", "--client-auth none"}}},
		{"nothing there", func(t *testing.T, _ *certtest.CA) {
			for _, name := range []string{"tls.crt", "tls.key", "ca.crt"} {
				assert.NoError(t, os.Remove(name))
			}
		}, mtls, []want{
			{"tls.certificate", "error", `certificate "tls.crt": `, ""},
			{"tls.private-key", "error", `private key "tls.key": `, ""},
			{"tls.client-ca", "error", `client CA "ca.crt": `, ""},
		}},
		{"another key", func(t *testing.T, ca *certtest.CA) {
			certtest.WriteFile(t, ".", "tls.key", ca.Issue(t, certtest.Server).KeyPEM(t))
		}, mtls, []want{{"tls.private-key", "error", "does not match the certificate", "install the pair"}}},
		{"damaged key", func(t *testing.T, _ *certtest.CA) {
			key, err := os.ReadFile("tls.key")
			assert.NoError(t, err)
			certtest.WriteFile(t, ".", "tls.key", key[:len(key)-20])
		}, mtls, []want{{"tls.private-key", "error", "before its END line", "copy it again"}}},
		{"expired", func(t *testing.T, ca *certtest.CA) {
			ca.Issue(t, certtest.Template{NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)}).Write(t, ".", "tls")
		}, mtls, []want{{"tls.certificate", "error", "expired at ", "renew it"}}},
		{"not yet valid", func(t *testing.T, ca *certtest.CA) {
			ca.Issue(t, certtest.Template{NotBefore: now.Add(time.Hour)}).Write(t, ".", "tls")
		}, mtls, []want{{"tls.certificate", "error", "is not valid before ", "check the clock of this machine"}}},
		{"a client's", func(t *testing.T, ca *certtest.CA) {
			ca.Issue(t, certtest.Client).Write(t, ".", "tls")
		}, mtls, []want{{"tls.certificate", "error", "may not be used by a server", "issue it with serverAuth"}}},
		{"about to expire", func(t *testing.T, ca *certtest.CA) {
			ca.Issue(t, certtest.Template{NotBefore: now.Add(-10 * time.Hour), NotAfter: now.Add(time.Hour)}).Write(t, ".", "tls")
		}, mtls, []want{{"tls.certificate", "warning", "less than a fifth of its life is left", "renew it"}}},
		{"intermediate about to expire", func(t *testing.T, ca *certtest.CA) {
			mid := ca.Intermediate(t, "mid", func(c *x509.Certificate) { c.NotAfter = now.Add(30 * time.Minute) })
			mid.Issue(t, certtest.Template{NotBefore: now.Add(-10 * time.Hour), NotAfter: now.Add(24 * time.Hour)}).Write(t, ".", "tls")
		}, mtls, []want{{"tls.certificate", "warning", "a CA certificate of its chain ends at", "renew it"}}},
		{"more connections than memory with TLS", func(*testing.T, *certtest.CA) {}, mtls,
			[]want{{"limits.connections", "warning", "hold 3491 idle connections with TLS", "less than 3491"}}},
		{"no names", func(t *testing.T, ca *certtest.CA) {
			ca.Issue(t, certtest.Template{CommonName: "server", Edit: func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil }}).Write(t, ".", "tls")
		}, mtls, []want{{"tls.names", "error", "no subject alternative names", "SPIFFE ID"}}},
		{"old CA in the bundle", func(t *testing.T, ca *certtest.CA) {
			old := certtest.NewCA(t, "old CA", func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) })
			certtest.WriteFile(t, ".", "ca.crt", append(ca.PEM(), old.PEM()...))
		}, mtls, []want{{"tls.client-ca", "warning", "old CA", "successor"}}},
		{"CA about to expire", func(t *testing.T, ca *certtest.CA) {
			late := certtest.NewCA(t, "late CA", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(-20*time.Hour), now.Add(time.Hour) })
			certtest.WriteFile(t, ".", "ca.crt", append(ca.PEM(), late.PEM()...))
		}, mtls, []want{{"tls.client-ca", "warning", "less than a tenth", "successor"}}},
		{"stale CRL", func(t *testing.T, ca *certtest.CA) { writeCRL(t, ca, ".", now.Add(-time.Hour)) }, append(mtls, "--crl", "ca.crl"),
			[]want{{"tls.crl", "error", "out of date since", "fetch the new one"}}},
		{"no CRL", func(t *testing.T, _ *certtest.CA) { assert.NoError(t, os.Remove("ca.crl")) }, append(mtls, "--crl", "ca.crl"),
			[]want{{"tls.crl", "error", `CRL "ca.crl": `, ""}}},
		{"key for everybody", func(t *testing.T, _ *certtest.CA) {
			if runtime.GOOS == "windows" {
				t.Skip("no modes")
			}
			assert.NoError(t, os.Chmod("tls.key", 0o644))
		}, mtls, []want{{"tls.key-mode", "warning", "mode 0644", "chmod 600"}}},
		{"development", func(t *testing.T, _ *certtest.CA) {
			certs, err := devcert.Dir(filepath.Join(t.TempDir(), "dev"))
			assert.NoError(t, err)
			files := certs.ServerFiles()
			for name, from := range map[string]string{"tls.crt": files.Cert, "tls.key": files.Key, "ca.crt": files.ClientCA} {
				data, err := os.ReadFile(from)
				assert.NoError(t, err)
				certtest.WriteFile(t, ".", name, data)
			}
		}, mtls, []want{{"tls.development", "warning", "development certificate", "CA of the environment"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			test.edit(t, writeFiles(t, "."))
			f := healthy()
			clock(&f)
			if strings.HasPrefix(test.name, "more connections") {
				f.MaxConnections = 10000
			}
			got := run(t, f.New, append(test.args, "-o", "json")...)
			text := run(t, f.New, test.args...)
			noKey(t, got.stdout+got.stderr+text.stdout+text.stderr)
			r := parse(t, got.stdout)
			if len(r.bad()) != len(test.want) {
				t.Fatalf("findings: %+v", r.bad())
			}
			for i, f := range r.bad() {
				w := test.want[i]
				assert.Equal(t, f.ID, w.id)
				assert.Equal(t, f.Level, w.level, f.Text)
				assert.Contains(t, f.Text, w.text)
				assert.Contains(t, f.Remedy, w.remedy)
				assert.True(t, f.Remedy != "" && f.Source != "", f.Text)
			}
			wantCode := 0
			if r.Errors > 0 {
				wantCode = 1
			}
			assert.Equal(t, got.code, wantCode, got.stderr)
			assert.Equal(t, text.code, wantCode)
		})
	}
}

// noKey fails when a line of the private key was printed.
func noKey(t *testing.T, output string) {
	t.Helper()
	key, err := os.ReadFile("tls.key")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(key)) {
		if line = strings.TrimSpace(line); len(line) > 16 && !strings.HasPrefix(line, "-----") {
			assert.NotContains(t, output, line)
		}
	}
}

// TestIdentity: what is told of good files.
func TestIdentity(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFiles(t, ".")
	got := run(t, doctorcmd.New, "-o", "json", "--cert", "tls.crt", "--key", "tls.key", "--client-ca", "ca.crt", "--crl", "ca.crl")
	r := parse(t, got.stdout)
	if r.TLS == nil {
		t.Fatal(got.stdout)
	}
	assert.Equal(t, r.TLS.Subject, "CN=server")
	assert.Equal(t, r.TLS.SANs, []string{"localhost", "127.0.0.1"})
	assert.Equal(t, len(r.of("tls.certificate")), 1)
	assert.Contains(t, r.of("tls.crl")[0].Text, "revokes 0 certificates")
}
