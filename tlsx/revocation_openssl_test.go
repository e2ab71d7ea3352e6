package tlsx_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// openssl is a CA whose lists and answers the openssl command makes.
type openssl struct {
	t    testing.TB
	ca   *certtest.CA
	dir  string
	bin  string
	next int // CRL number
}

func newOpenSSL(t testing.TB, kt certtest.KeyType) *openssl {
	t.Helper()
	bin, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl command")
	}
	o := &openssl{t: t, dir: t.TempDir(), bin: bin, next: 1}
	// A self-signed CA with a key of the wanted kind.
	o.ca = certtest.NewCAWithKey(t, "openssl root", kt)
	o.ca.Write(t, o.dir, "ca.pem")
	o.file("ca.key", (&certtest.Leaf{Key: o.ca.Key}).KeyPEM(t))
	o.file("index.txt.attr", []byte("unique_subject = no\n"))
	return o
}

func (o *openssl) file(name string, data []byte) string {
	return certtest.WriteFile(o.t, o.dir, name, data)
}

// index writes the database of the CA: what it issued, and what of that is
// revoked.
func (o *openssl) index(good, revoked []*x509.Certificate) {
	const layout = "060102150405Z"
	var out bytes.Buffer
	line := func(kind, when string, c *x509.Certificate) {
		fmt.Fprintf(&out, "%s\t%s\t%s\t%X\tunknown\t/CN=%s\n", kind, c.NotAfter.UTC().Format(layout), when, c.SerialNumber.Bytes(), c.Subject.CommonName)
	}
	for _, c := range good {
		line("V", "", c)
	}
	for _, c := range revoked {
		line("R", time.Now().Add(-time.Hour).UTC().Format(layout)+",keyCompromise", c)
	}
	o.file("index.txt", out.Bytes())
}

func (o *openssl) run(args ...string) {
	o.t.Helper()
	cmd := exec.CommandContext(o.t.Context(), o.bin, args...)
	cmd.Dir = o.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		o.t.Fatalf("openssl %q: %v\n%s", args, err, out)
	}
}

// crl lets openssl sign a CRL of what the index revokes. extensions are lines of
// its configuration.
func (o *openssl) crl(validity, extensions string) []byte {
	o.t.Helper()
	o.file("crlnumber", fmt.Appendf(nil, "%02X\n", o.next))
	o.next++
	o.file("ca.cnf", []byte(`
[ca]
default_ca = this
[this]
database = index.txt
crlnumber = crlnumber
certificate = ca.pem
private_key = ca.key
default_md = default
crl_extensions = ext
[ext]
authorityKeyIdentifier = keyid:always
`+extensions))
	args := append([]string{"ca", "-config", "ca.cnf", "-gencrl", "-out", "crl.pem"}, "-crlsec", validity)
	o.run(args...)
	data, err := os.ReadFile(filepath.Join(o.dir, "crl.pem"))
	assert.NoError(o.t, err)
	return data
}

var keyTypes = map[string]certtest.KeyType{"ECDSA": certtest.ECDSA, "RSA": certtest.RSA, "Ed25519": certtest.Ed25519}

// openssl's CRLs mean to us what they mean to openssl verify.
func TestOpenSSLCRL(t *testing.T) {
	for name, kt := range keyTypes {
		t.Run(name, func(t *testing.T) {
			o := newOpenSSL(t, kt)
			good, revoked := o.ca.Issue(t, certtest.Client), o.ca.Issue(t, certtest.Client)
			o.index([]*x509.Certificate{good.Cert}, []*x509.Certificate{revoked.Cert})
			server := o.ca.Issue(t, certtest.Server)
			for form, data := range map[string][]byte{
				"plain": o.crl("3600", ""),
				"users": o.crl("3600", "issuingDistributionPoint = critical, @idp\n[idp]\nonlyuser = TRUE\n"),
			} {
				s := withMaterial(t, server, func(m *tlsx.Material) { m.CRLs = [][]byte{data} }, o.ca)
				for leaf, want := range map[*certtest.Leaf]tlsx.PeerReason{good: "", revoked: tlsx.PeerRevoked} {
					_, err := s.Recheck(peerState(leaf), time.Now())
					assert.Equal(t, reasonOf(err), want, form)

					o.file("leaf.pem", certtest.CertPEM(leaf.Cert))
					o.file("crl.pem", data)
					cmd := exec.CommandContext(t.Context(), o.bin, "verify", "-extended_crl", "-crl_check", "-CAfile", "ca.pem", "-CRLfile", "crl.pem", "leaf.pem")
					cmd.Dir = o.dir
					out, err := cmd.CombinedOutput()
					assert.Equal(t, err != nil, want != "", "openssl verify: "+string(out))
				}
			}
			indirect := o.crl("3600", "issuingDistributionPoint = critical, @idp\n[idp]\nindirectCRL = TRUE\n")
			_, err := tlsx.ParseCRLs([][]byte{indirect}, []*x509.Certificate{o.ca.Cert}, nil, time.Now())
			assert.ErrorContains(t, err, "indirect")

			block, _ := pem.Decode(o.crl("3600", ""))
			der := withMaterial(t, server, func(m *tlsx.Material) { m.CRLs = [][]byte{block.Bytes} }, o.ca)
			assert.Equal(t, der.CRLs()[0].Revoked, 1, "DER")
		})
	}
}

// openssl's responder answers our request, and its answers pass; also stapled by
// a client.
func TestOpenSSLOCSP(t *testing.T) {
	for name, kt := range keyTypes {
		t.Run(name, func(t *testing.T) {
			o := newOpenSSL(t, kt)
			good, revoked, foreign := o.ca.Issue(t, certtest.Client), o.ca.Issue(t, certtest.Client), o.ca.Issue(t, certtest.Client)
			o.index([]*x509.Certificate{good.Cert}, []*x509.Certificate{revoked.Cert})
			tpl := responder
			tpl.KeyType = kt
			o.file("delegate.pem", o.ca.Issue(t, tpl).CertPEM())
			delegate := o.ca.Issue(t, tpl)
			delegate.Write(t, o.dir, "responder")
			signers := map[string][]string{
				"delegate, by name": {"-rsigner", "responder.crt", "-rkey", "responder.key"},
				"delegate, by key":  {"-rsigner", "responder.crt", "-rkey", "responder.key", "-resp_key_id"},
				"the CA":            {"-rsigner", "ca.pem", "-rkey", "ca.key"},
				"the CA, bare":      {"-rsigner", "ca.pem", "-rkey", "ca.key", "-resp_no_certs"},
			}
			server := withMaterial(t, o.ca.Issue(t, certtest.Server), func(m *tlsx.Material) { m.OCSP = tlsx.OCSPRequire }, o.ca)
			for signer, args := range signers {
				for want, leaf := range map[string]*certtest.Leaf{"good": good, "revoked": revoked, "unknown": foreign} {
					o.file("leaf.pem", certtest.CertPEM(leaf.Cert))
					o.run("ocsp", "-issuer", "ca.pem", "-cert", "leaf.pem", "-reqout", "req.der", "-no_nonce")
					raw := o.respond(args...)
					status, err := tlsx.VerifyOCSP(raw, leaf.Cert, o.ca.Cert, time.Now())
					assert.NoError(t, err, signer)
					assert.Equal(t, status, want, signer)

					cert := leaf.TLS()
					cert.OCSPStaple = raw
					_, _, serverErr, _ := handshake(t, server.ServerConfig(), plainClient(o.ca, cert))
					assert.Equal(t, reasonOf(serverErr), map[string]tlsx.PeerReason{"good": "", "revoked": tlsx.PeerRevoked, "unknown": tlsx.PeerRevocationUnknown}[want])
				}
			}

			// A leaf of the CA that is no responder: openssl signs, we refuse.
			o.file("leaf.pem", certtest.CertPEM(revoked.Cert))
			o.run("ocsp", "-issuer", "ca.pem", "-cert", "leaf.pem", "-reqout", "req.der", "-no_nonce")
			revoked.Write(t, o.dir, "self")
			_, err := tlsx.VerifyOCSP(o.respond("-rsigner", "self.crt", "-rkey", "self.key"), revoked.Cert, o.ca.Cert, time.Now())
			assert.ErrorContains(t, err, "lack OCSPSigning")
			// Nor without a nextUpdate, nor when it has passed.
			cmd := []string{"ocsp", "-index", "index.txt", "-CA", "ca.pem", "-reqin", "req.der", "-respout", "resp.der", "-rsigner", "ca.pem", "-rkey", "ca.key"}
			o.run(cmd...)
			raw, err := os.ReadFile(filepath.Join(o.dir, "resp.der"))
			assert.NoError(t, err)
			_, err = tlsx.VerifyOCSP(raw, revoked.Cert, o.ca.Cert, time.Now())
			assert.ErrorContains(t, err, "has no nextUpdate")
			_, err = tlsx.VerifyOCSP(o.respond(signers["the CA"]...), revoked.Cert, o.ca.Cert, time.Now().Add(2*time.Hour))
			assert.ErrorContains(t, err, "is stale")
		})
	}
}

// respond lets openssl answer req.der, valid for an hour.
func (o *openssl) respond(args ...string) []byte {
	o.t.Helper()
	o.run(append([]string{"ocsp", "-index", "index.txt", "-CA", "ca.pem", "-reqin", "req.der", "-respout", "resp.der", "-nmin", "60"}, args...)...)
	raw, err := os.ReadFile(filepath.Join(o.dir, "resp.der"))
	assert.NoError(o.t, err)
	return raw
}

// The whole way: our request over HTTP, openssl's answer, stapled to our
// certificate, and accepted by openssl's verifier.
func TestOpenSSLStapling(t *testing.T) {
	o := newOpenSSL(t, certtest.ECDSA)
	leaf := o.ca.Issue(t, certtest.Template{})
	o.index([]*x509.Certificate{leaf.Cert}, nil)
	o.ca.Issue(t, responder).Write(t, o.dir, "responder")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		o.file("req.der", body)
		_, _ = w.Write(o.respond("-rsigner", "responder.crt", "-rkey", "responder.key"))
	}))
	defer server.Close()
	dir := t.TempDir()
	issueOf(t, o.ca, leaf).write(t, dir)
	rec := newRecorder()
	r := newReloader(t, filesIn(dir), rec.options(tlsx.WithOCSPStapling(server.URL))...)
	stop := start(t, r)
	rec.await(t, "tlsx.Stapled", 1)
	_, cs, serverErr, clientErr := handshake(t, tlsx.ServerConfig(r), plainClient(o.ca, leaf.TLS()))
	assert.NoError(t, serverErr)
	assert.NoError(t, clientErr)
	o.file("staple.der", cs.OCSPResponse)
	o.file("leaf.pem", certtest.CertPEM(leaf.Cert))
	o.run("ocsp", "-respin", "staple.der", "-issuer", "ca.pem", "-cert", "leaf.pem", "-CAfile", "ca.pem", "-no_nonce")
	stop()
}
