package tlsx_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// set is a good set of files that a case then damages.
type set struct {
	t     *testing.T
	dir   string
	ca    *certtest.CA
	leaf  *certtest.Leaf
	files tlsx.Files
}

func newSet(t *testing.T, tpl certtest.Template) *set {
	s := &set{t: t, dir: t.TempDir(), ca: certtest.NewCA(t, "root")}
	s.leaf = s.ca.Issue(t, tpl)
	s.files.Cert, s.files.Key = s.leaf.Write(t, s.dir, "tls")
	s.files.ClientCA = s.ca.Write(t, s.dir, "ca.crt")
	return s
}

func (s *set) write(path string, data []byte) {
	certtest.WriteFile(s.t, filepath.Dir(path), filepath.Base(path), data)
}

func TestLoad(t *testing.T) {
	for _, keyType := range []certtest.KeyType{certtest.ECDSA, certtest.RSA, certtest.Ed25519} {
		s := newSet(t, certtest.Template{KeyType: keyType})
		snapshot, err := tlsx.Load(s.files)
		assert.NoError(t, err)
		assert.Equal(t, snapshot.Generation(), uint64(1))
		assert.True(t, snapshot.Leaf().Equal(s.leaf.Cert))
		assert.Equal(t, snapshot.NotAfter(), s.leaf.Cert.NotAfter)
		assert.Equal(t, len(snapshot.ClientCAs()), 1)
		assert.True(t, !snapshot.Development())
		config := snapshot.ServerConfig()
		assert.True(t, config == snapshot.ServerConfig(), "same pointer")
	}
}

func TestLoadTolerates(t *testing.T) {
	sec1 := func(s *set) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(s.leaf.Key)
		assert.NoError(s.t, err)
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	cases := map[string]func(*set){
		"byte order mark": func(s *set) { s.write(s.files.ClientCA, append([]byte("\xef\xbb\xbf"), s.ca.PEM()...)) },
		"CRLF":            func(s *set) { s.write(s.files.Cert, bytes.ReplaceAll(s.leaf.CertPEM(), []byte("\n"), []byte("\r\n"))) },
		"comments": func(s *set) {
			s.write(s.files.ClientCA, append([]byte("0 subject=CN=x\n# -----BEGIN CERTIFICATE-----\n\n"), s.ca.PEM()...))
		},
		"no final newline": func(s *set) { s.write(s.files.ClientCA, bytes.TrimSpace(s.ca.PEM())) },
		"combined file": func(s *set) {
			s.write(s.files.Cert, append(sec1(s), s.leaf.CertPEM()...))
			s.files.Key = s.files.Cert
		},
		"duplicate CA": func(s *set) { s.write(s.files.ClientCA, append(s.ca.PEM(), s.ca.PEM()...)) },
		"one expired CA of two": func(s *set) {
			old := certtest.NewCA(s.t, "old", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
			s.write(s.files.ClientCA, append(old.PEM(), s.ca.PEM()...))
		},
		"symlink": func(s *set) {
			link := filepath.Join(s.dir, "link.crt")
			assert.NoError(s.t, os.Symlink(s.files.Cert, link))
			s.files.Cert = link
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSet(t, certtest.Template{})
			change(s)
			_, err := tlsx.Load(s.files)
			assert.NoError(t, err)
		})
	}
}

var past = func(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
}

// badSets are the failure modes: what is damaged, the role that must be named
// and what the text must say.
var badSets = []struct {
	name string
	role string
	tpl  certtest.Template
	bad  func(*set)
	want []string
}{
	{name: "no certificate named", role: "certificate", bad: func(s *set) { s.files.Cert = "" }, want: []string{"set Files.Cert"}},
	{name: "no key named", role: "private key", bad: func(s *set) { s.files.Key = "" }, want: []string{"set Files.Key"}},
	{name: "missing file", role: "private key", bad: func(s *set) { _ = os.Remove(s.files.Key) }, want: []string{"no such file", "check the path"}},
	{name: "empty file", role: "private key", bad: func(s *set) { s.write(s.files.Key, nil) }, want: []string{"is empty"}},
	{name: "blank file", role: "certificate", bad: func(s *set) { s.write(s.files.Cert, []byte("\n\n")) }, want: []string{"no CERTIFICATE block"}},
	{name: "directory", role: "certificate", bad: func(s *set) { s.files.Cert = s.dir }, want: []string{"is a directory"}},
	{name: "device", role: "client CA", bad: func(s *set) { s.files.ClientCA = os.DevNull }, want: []string{"is a device"}},
	{name: "too large", role: "client CA", bad: func(s *set) {
		s.write(s.files.ClientCA, append(s.ca.PEM(), bytes.Repeat([]byte("# filler\n"), 1<<17)...))
	}, want: []string{"larger than 1048576 bytes"}},
	{name: "swapped certificate", role: "certificate", bad: func(s *set) { s.files.Cert, s.files.Key = s.files.Key, s.files.Cert }, want: []string{"look swapped"}},
	{name: "swapped key", role: "private key", bad: func(s *set) { s.files.Cert, s.files.Key = s.files.Key, s.files.Cert }, want: []string{"look swapped"}},
	{name: "mismatch", role: "private key", bad: func(s *set) {
		s.write(s.files.Key, s.ca.Issue(s.t, certtest.Template{}).KeyPEM(s.t))
	}, want: []string{"does not match the certificate"}},
	{name: "leaf not first", role: "private key", bad: func(s *set) {
		s.write(s.files.Cert, append(s.ca.PEM(), s.leaf.CertPEM()...))
	}, want: []string{"belongs to certificate 2", "leaf first"}},
	{name: "truncated key", role: "private key", bad: func(s *set) {
		key := s.leaf.KeyPEM(s.t)
		s.write(s.files.Key, key[:len(key)*2/3])
	}, want: []string{"block 1 (line 1)", "truncated"}},
	{name: "key on one line", role: "private key", bad: func(s *set) {
		s.write(s.files.Key, bytes.ReplaceAll(s.leaf.KeyPEM(s.t), []byte("\n"), nil))
	}, want: []string{"line breaks"}},
	{name: "key with a lost BEGIN line", role: "private key", bad: func(s *set) {
		_, rest, _ := bytes.Cut(s.leaf.KeyPEM(s.t), []byte("\n"))
		s.write(s.files.Key, rest)
	}, want: []string{"looks like PEM"}},
	{name: "key bytes in the label", role: "private key", bad: func(s *set) {
		body := bytes.Split(s.leaf.KeyPEM(s.t), []byte("\n"))[1]
		s.write(s.files.Key, fmt.Appendf(nil, "-----BEGIN %s-----\nAAAA\n-----END %s-----\n", body, body))
	}, want: []string{"of an unknown type"}},
	{name: "key in a wrong form", role: "private key", bad: func(s *set) {
		s.write(s.files.Key, bytes.ReplaceAll(s.leaf.KeyPEM(s.t), []byte("PRIVATE KEY"), []byte("RSA PRIVATE KEY")))
	}, want: []string{"cannot be parsed", "openssl pkey"}},
	{name: "damaged base64 key", role: "private key", bad: func(s *set) {
		key := s.leaf.KeyPEM(s.t)
		key[40] = '!'
		s.write(s.files.Key, key)
	}, want: []string{"not valid base64"}},
	{name: "two keys", role: "private key", bad: func(s *set) {
		s.write(s.files.Key, append(s.leaf.KeyPEM(s.t), s.leaf.KeyPEM(s.t)...))
	}, want: []string{"second private key"}},
	{name: "encrypted PKCS 8", role: "private key", bad: func(s *set) {
		s.write(s.files.Key, bytes.ReplaceAll(s.leaf.KeyPEM(s.t), []byte("PRIVATE"), []byte("ENCRYPTED PRIVATE")))
	}, want: []string{"encrypted", "openssl pkey"}},
	{name: "encrypted PEM", role: "private key", bad: func(s *set) {
		b, _ := pem.Decode(s.leaf.KeyPEM(s.t))
		b.Type, b.Headers = "EC PRIVATE KEY", map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}
		s.write(s.files.Key, pem.EncodeToMemory(b))
	}, want: []string{"encrypted", "openssl pkey"}},
	{name: "OpenSSH key", role: "private key", bad: func(s *set) {
		s.write(s.files.Key, bytes.ReplaceAll(s.leaf.KeyPEM(s.t), []byte("PRIVATE"), []byte("OPENSSH PRIVATE")))
	}, want: []string{"OPENSSH PRIVATE KEY, which TLS cannot use"}},
	{name: "DER key", role: "private key", bad: func(s *set) {
		b, _ := pem.Decode(s.leaf.KeyPEM(s.t))
		s.write(s.files.Key, b.Bytes)
	}, want: []string{"binary, not PEM"}},
	{name: "UTF-16", role: "certificate", bad: func(s *set) { s.write(s.files.Cert, []byte("\xff\xfe-\x00-\x00")) }, want: []string{"UTF-16"}},
	{name: "expired", role: "certificate", tpl: certtest.Template{Edit: past}, bad: func(*set) {}, want: []string{"expired at", "renew"}},
	{name: "not yet valid", role: "certificate", tpl: certtest.Template{NotBefore: time.Now().Add(time.Hour)}, bad: func(*set) {}, want: []string{"not valid before", "clock"}},
	{name: "client certificate", role: "certificate", tpl: certtest.Client, bad: func(*set) {}, want: []string{"lack serverAuth", "tlsx.ForClient"}},
	{name: "server certificate for a client", role: "certificate", tpl: certtest.Server, bad: func(s *set) { s.files.Usage = tlsx.ForClient }, want: []string{"lack clientAuth"}},
	{name: "expired intermediate", role: "certificate", bad: func(s *set) {
		mid := s.ca.Intermediate(s.t, "mid", past)
		s.leaf = mid.Issue(s.t, certtest.Template{})
		s.files.Cert, s.files.Key = s.leaf.Write(s.t, s.dir, "tls")
	}, want: []string{"an intermediate that the leaf depends on expired"}},
	{name: "non-CA in the bundle", role: "client CA", bad: func(s *set) { s.write(s.files.ClientCA, append(s.ca.PEM(), s.leaf.CertPEM()...)) }, want: []string{"block 2", "not a CA"}},
	{name: "CA that may not sign", role: "client CA", bad: func(s *set) {
		ca := certtest.NewCA(s.t, "crl", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })
		s.write(s.files.ClientCA, ca.PEM())
	}, want: []string{"may not sign"}},
	{name: "expired bundle", role: "client CA", bad: func(s *set) {
		s.write(s.files.ClientCA, certtest.NewCA(s.t, "old", past).PEM())
	}, want: []string{"none of its 1 certificates is valid now"}},
	{name: "damaged second CA", role: "client CA", bad: func(s *set) {
		other := bytes.Replace(certtest.NewCA(s.t, "b").PEM(), []byte("MII"), []byte("MIA"), 1)
		s.write(s.files.ClientCA, append(s.ca.PEM(), other...))
	}, want: []string{"block 2 (line", "not a valid certificate"}},
	{name: "truncated second CA", role: "client CA", bad: func(s *set) {
		other := certtest.NewCA(s.t, "b").PEM()
		s.write(s.files.ClientCA, append(s.ca.PEM(), other[:len(other)-30]...))
	}, want: []string{"block 2 (line", "truncated"}},
	{name: "missing line break between CAs", role: "client CA", bad: func(s *set) {
		s.write(s.files.ClientCA, append(bytes.TrimSpace(s.ca.PEM()), certtest.NewCA(s.t, "b").PEM()...))
	}, want: []string{"line break"}},
	{name: "indented CA", role: "client CA", bad: func(s *set) {
		s.write(s.files.ClientCA, bytes.ReplaceAll(s.ca.PEM(), []byte("-----BEGIN"), []byte("  -----BEGIN")))
	}, want: []string{"line 1 looks like PEM"}},
	{name: "trailing BEGIN", role: "client CA", bad: func(s *set) { s.write(s.files.ClientCA, append(s.ca.PEM(), "-----BEGIN CERT"...)) }, want: []string{"malformed"}},
	{name: "trusted certificate", role: "client CA", bad: func(s *set) {
		s.write(s.files.ClientCA, bytes.ReplaceAll(s.ca.PEM(), []byte("CERTIFICATE"), []byte("TRUSTED CERTIFICATE")))
	}, want: []string{"convert it"}},
	{name: "key in the bundle", role: "client CA", bad: func(s *set) { s.write(s.files.ClientCA, append(s.ca.PEM(), s.leaf.KeyPEM(s.t)...)) }, want: []string{"block 2", "is a private key"}},
	{name: "CRL in the bundle", role: "client CA", bad: func(s *set) {
		s.write(s.files.ClientCA, append(s.ca.PEM(), pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte{1}})...))
	}, want: []string{"X509 CRL, not CERTIFICATE"}},
	{name: "no client CA", role: "client CA", bad: func(s *set) { s.files.ClientCA = "" }, want: []string{"Files.ClientCA", "tlsx.NoClientCert"}},
	{name: "contradiction", role: "client CA", bad: func(s *set) { s.files.ClientAuth = tlsx.NoClientCert }, want: []string{"remove Files.ClientCA", "tlsx.RequireClientCert"}},
	{name: "unknown client auth", role: "client CA", bad: func(s *set) { s.files.ClientAuth = 7 }, want: []string{"ClientAuth(7)"}},
	{name: "unknown usage", role: "client CA", bad: func(s *set) { s.files.Usage = -1 }, want: []string{"Usage(-1)"}},
	{name: "client without CA", role: "client CA", bad: func(s *set) { s.files.Usage, s.files.ClientCA = tlsx.ForClient, "" }, want: []string{"no server can be verified"}},
}

func TestLoadFails(t *testing.T) {
	for _, tc := range badSets {
		t.Run(tc.name, func(t *testing.T) {
			s := newSet(t, tc.tpl)
			tc.bad(s)
			snapshot, err := tlsx.Load(s.files)
			if err == nil || snapshot != nil {
				t.Fatalf("got %v and error %v, want an error", snapshot, err)
			}
			var found *tlsx.FileError
			for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
				f, ok := errors.AsType[*tlsx.FileError](e)
				if !ok {
					t.Fatalf("%v is not a FileError", e)
				}
				if f.Role == tc.role {
					found = f
				}
			}
			if found == nil {
				t.Fatalf("no error about the %s in %v", tc.role, err)
			}
			assert.ErrorContains(t, found, append(tc.want, tc.role, found.Path)...)
			noSecrets(t, s.leaf, err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err))
		})
	}
}

// noSecrets fails when a text holds any 12 characters of the encoded key, or of
// its private part in hexadecimal or as decimal bytes.
func noSecrets(t *testing.T, leaf *certtest.Leaf, texts ...string) {
	t.Helper()
	var private []byte
	switch k := leaf.Key.(type) {
	case *ecdsa.PrivateKey:
		var err error
		private, err = k.Bytes()
		assert.NoError(t, err)
	case *rsa.PrivateKey:
		private = k.D.Bytes()
	case ed25519.PrivateKey:
		private = k.Seed()
	}
	body := strings.Join(strings.Split(string(leaf.KeyPEM(t)), "\n")[1:], "")
	body, _, _ = strings.Cut(body, "-----END")
	hexed := fmt.Sprintf("%x", private)
	decimal := strings.Trim(fmt.Sprint(private), "[]")
	for _, text := range texts {
		// Long enough that no other number is found by chance: 6 bytes or more.
		for secret, long := range map[string]int{body: 12, hexed: 12, decimal: 32} {
			for i := range len(secret) - long + 1 {
				if strings.Contains(text, secret[i:i+long]) {
					t.Fatalf("text holds key material: %q", text)
				}
			}
		}
	}
}

func TestLoadReportsAllProblems(t *testing.T) {
	dir := t.TempDir()
	_, err := tlsx.Load(tlsx.Files{Cert: filepath.Join(dir, "a"), Key: filepath.Join(dir, "b"), ClientCA: filepath.Join(dir, "c")})
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, "certificate", "private key", "client CA")
	assert.Equal(t, len(err.(interface{ Unwrap() []error }).Unwrap()), 3)

	s := newSet(t, certtest.Template{Usages: certtest.Client.Usages, Edit: past})
	_ = os.Remove(s.files.Key)
	_, err = tlsx.Load(s.files)
	assert.ErrorContains(t, err, "expired at", "lack serverAuth", "no such file")
}

func TestLoadPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read every file")
	}
	s := newSet(t, certtest.Template{})
	assert.NoError(t, os.Chmod(s.files.Key, 0))
	_, err := tlsx.Load(s.files)
	assert.ErrorIs(t, err, fs.ErrPermission)
	assert.ErrorContains(t, err, "let the user that runs this process read")
}

func TestFilesJSON(t *testing.T) {
	files := tlsx.Files{Cert: "a", Key: "b", ClientCA: "c", ClientAuth: tlsx.VerifyClientCertIfGiven, Usage: tlsx.ForBoth}
	data, err := json.Marshal(files)
	assert.NoError(t, err)
	assert.Equal(t, string(data), `{"cert":"a","key":"b","client_ca":"c","client_auth":"verify-if-given","usage":"both"}`)
	var back tlsx.Files
	assert.NoError(t, json.Unmarshal(data, &back))
	assert.Equal(t, back, files)
	assert.ErrorContains(t, json.Unmarshal([]byte(`{"client_auth":"off"}`), &back), `"off" is unknown`, `"none"`)
	assert.ErrorContains(t, json.Unmarshal([]byte(`{"usage":"x"}`), &back), `"x" is unknown`)
}
