package tlsx_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// trusting is a reloader whose files and policy a test changes between
// handshakes of a client that resumes.
type trusting struct {
	t              *testing.T
	dir            string
	ca, other      *certtest.CA
	server, client *certtest.Leaf
	r              *tlsx.Reloader
}

func newTrusting(t *testing.T) *trusting {
	t.Helper()
	x := &trusting{t: t, dir: t.TempDir(), ca: certtest.NewCA(t, "root"), other: certtest.NewCA(t, "other")}
	x.server, x.client = x.ca.Issue(t, certtest.Server), x.ca.Issue(t, certtest.Client)
	x.server.Write(t, x.dir, "tls")
	x.bundle(x.ca, x.other)
	mkdir(t, x.dir, "crls")
	x.crl("a.crl", crl{number: 1}.by(t, x.ca))
	files := filesIn(x.dir)
	files.CRL = []string{filepath.Join(x.dir, "crls")}
	x.r = newReloader(t, files)
	return x
}

func (x *trusting) bundle(cas ...*certtest.CA) {
	var data []byte
	for _, ca := range cas {
		data = append(data, ca.PEM()...)
	}
	certtest.WriteFile(x.t, x.dir, "ca.crt", data)
}

func (x *trusting) crl(name string, data []byte) {
	certtest.WriteFile(x.t, filepath.Join(x.dir, "crls"), name, data)
}

func (x *trusting) reload() {
	x.t.Helper()
	_, err := x.r.Reload()
	assert.NoError(x.t, err)
}

// After each change of trust the client that holds a ticket is refused, for the
// right reason, and by Recheck for the connection that it has open.
func TestResumptionAfterTrustChange(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*trusting)
		want   tlsx.PeerReason
	}{
		"CRL": {func(x *trusting) {
			x.crl("a.crl", crlPEM(crl{number: 2, revoked: []*x509.Certificate{x.client.Cert}}.by(x.t, x.ca)))
			x.reload()
		}, tlsx.PeerRevoked},
		"CRL added for another CA, own deleted": {func(x *trusting) {
			x.crl("b.crl", crl{number: 1}.by(x.t, x.other))
			assert.NoError(x.t, os.Remove(filepath.Join(x.dir, "crls", "a.crl")))
			x.reload()
		}, tlsx.PeerRevocationUnknown},
		"allow-list": {func(x *trusting) {
			assert.NoError(x.t, x.r.SetAllow(tlsx.AllowSPIFFEID("spiffe://example.org/other")))
		}, tlsx.PeerNotAllowed},
		"bundle": {func(x *trusting) {
			x.bundle(x.other)
			x.reload()
		}, tlsx.PeerUntrusted},
		"nothing": {func(x *trusting) { x.reload() }, ""},
		"allow-list with the client": {func(x *trusting) {
			assert.NoError(x.t, x.r.SetAllow(tlsx.AllowDNS("*.test")))
		}, ""},
		"own certificate": {func(x *trusting) {
			x.ca.Issue(x.t, certtest.Server).Write(x.t, x.dir, "tls")
			x.reload()
		}, ""},
	} {
		for version, v := range versions {
			t.Run(name+"/"+version, func(t *testing.T) {
				x := newTrusting(t)
				server := tlsx.ServerConfig(x.r)
				cfg := withVersion(plainClient(x.ca, x.client.TLS()), v)
				cfg.ClientSessionCache = tls.NewLRUClientSessionCache(8)
				open, _, err, _ := handshake(t, server, cfg)
				assert.NoError(t, err)
				again, _, err, _ := handshake(t, server, cfg)
				assert.NoError(t, err)
				assert.True(t, again.DidResume, "resumes before the change")

				before := x.r.Current()
				tc.change(x)
				after, _, err, clientErr := handshake(t, server, cfg)
				assert.Equal(t, reasonOf(err), tc.want)
				assert.Equal(t, clientErr != nil, tc.want != "")
				_, err = x.r.Current().Recheck(open, time.Now())
				assert.Equal(t, reasonOf(err), tc.want, "open connection")
				if tc.want != "" {
					if pe, ok := errors.AsType[*tlsx.PeerError](err); !ok || pe.Reason != tc.want {
						t.Errorf("%v is no PeerError of reason %q", err, tc.want)
					}
				} else {
					same := x.r.Current().TrustGeneration() == before.TrustGeneration()
					assert.Equal(t, after.DidResume, same, "tickets live as long as the trust")
					assert.Equal(t, same, name != "allow-list with the client")
				}
				// The check itself, were a ticket to outlive its generation.
				state := again
				assert.Equal(t, reasonOf(x.r.Current().ServerConfig().VerifyConnection(state)), tc.want, "resumed")
			})
		}
	}
}

func TestSetAllow(t *testing.T) {
	x := newTrusting(t)
	before := x.r.Current()
	assert.ErrorContains(t, x.r.SetAllow(tlsx.Matcher{}), "Files.Allow[0]", "names nobody")
	assert.NoError(t, x.r.SetAllow())
	assert.True(t, x.r.Current() == before, "no change, no generation")
	changed := x.r.Changed()
	assert.NoError(t, x.r.SetAllow(tlsx.AllowDNS("a.test")))
	<-changed
	assert.Equal(t, x.r.Current().Generation(), uint64(2))
	assert.Equal(t, x.r.Current().TrustGeneration(), uint64(2))
	assert.Equal(t, x.r.Status().Generation, uint64(2))

	// It outlives a reload.
	x.ca.Issue(t, certtest.Server).Write(t, x.dir, "tls")
	x.reload()
	_, err := x.r.Current().Recheck(peerState(x.client), time.Now())
	assert.Equal(t, reasonOf(err), tlsx.PeerNotAllowed)
	assert.NoError(t, x.r.SetAllow())
	_, err = x.r.Current().Recheck(peerState(x.client), time.Now())
	assert.NoError(t, err)
}

// A directory of CRLs that Kubernetes mounts: updates and deletions arrive
// without a single failure.
func TestCRLDirectoryOnKubernetes(t *testing.T) {
	dir := t.TempDir()
	a, b := certtest.NewCA(t, "a"), certtest.NewCA(t, "b")
	first := issueOf(t, a, a.Issue(t, certtest.Server))
	first.data["ca.crt"] = append(first.data["ca.crt"], b.PEM()...)
	first.write(t, dir)
	clientA, clientB := a.Issue(t, certtest.Client), b.Issue(t, certtest.Client)
	w := &atomicWriter{t: t, dir: mkdir(t, dir, "crls")}
	w.write(map[string][]byte{"a.crl": crl{number: 1}.by(t, a), "b.crl": crl{number: 1}.by(t, b)})
	files := filesIn(dir)
	files.CRL = []string{w.dir}
	rec := newRecorder()
	r := newReloader(t, files, rec.options()...)
	stop := start(t, r)
	judge := func(l *certtest.Leaf, want tlsx.PeerReason) func(*tlsx.Snapshot) bool {
		return func(s *tlsx.Snapshot) bool {
			_, err := s.Recheck(peerState(l), time.Now())
			return reasonOf(err) == want
		}
	}
	await(t, r, "both good", judge(clientB, ""))
	for n := range 10 {
		number := int64(n + 2)
		w.write(map[string][]byte{"a.crl": crl{number: number, revoked: []*x509.Certificate{clientA.Cert}}.by(t, a), "b.crl": crl{number: number}.by(t, b)})
		await(t, r, "a revoked", judge(clientA, tlsx.PeerRevoked))
		w.write(map[string][]byte{"a.crl": crl{number: number, edit: func(l *x509.RevocationList) { l.ThisUpdate = l.ThisUpdate.Add(time.Millisecond) }}.by(t, a)})
		await(t, r, "a taken back", judge(clientA, ""))
		assert.True(t, judge(clientB, tlsx.PeerRevocationUnknown)(r.Current()), "the deletion counts")
	}
	stop()
	for _, kind := range rec.kinds() {
		assert.NotContains(t, kind, "failed", "degraded")
	}
}

// Whatever happens to a CRL directory, the last good CRLs stay in use.
func TestCRLDirectoryFailures(t *testing.T) {
	for name, tc := range map[string]struct {
		damage func(x *trusting, crls string)
		reason tlsx.ReloadReason
		want   []string
	}{
		"vanished":  {func(_ *trusting, crls string) { _ = os.Rename(crls, crls+".away") }, tlsx.ReasonMissing, []string{"no such file"}},
		"emptied":   {func(_ *trusting, crls string) { _ = os.Remove(filepath.Join(crls, "a.crl")) }, tlsx.ReasonMissing, []string{"holds no CRL"}},
		"no CRL":    {func(x *trusting, _ string) { x.crl("README", []byte("about")) }, tlsx.ReasonMalformed, []string{"README", "no X509 CRL block"}},
		"a key":     {func(x *trusting, _ string) { x.crl("key.pem", x.client.KeyPEM(x.t)) }, tlsx.ReasonMalformed, []string{"key.pem", "is PRIVATE KEY"}},
		"damaged":   {func(x *trusting, _ string) { x.crl("a.crl", crlPEM(crl{number: 2}.by(x.t, x.ca))[:200]) }, tlsx.ReasonMalformed, []string{"a.crl", "no END line"}},
		"rollback":  {func(x *trusting, _ string) { x.crl("a.crl", crl{number: 0}.by(x.t, x.ca)) }, tlsx.ReasonMalformed, []string{"a.crl", "is older"}},
		"dangling":  {func(x *trusting, crls string) { symlink(x.t, "nowhere", filepath.Join(crls, "b.crl")) }, tlsx.ReasonMissing, []string{"b.crl"}},
		"directory": {func(x *trusting, crls string) { mkdir(x.t, crls, "sub") }, tlsx.ReasonUnreadable, []string{"sub", "is a directory"}},
		"oversized": {func(x *trusting, _ string) { x.crl("b.crl", make([]byte, 8<<20+1)) }, tlsx.ReasonUnreadable, []string{"b.crl", "larger than 8388608 bytes"}},
		"forged": {func(x *trusting, _ string) {
			x.crl("b.crl", crl{number: 9}.by(x.t, &certtest.CA{Cert: x.ca.Cert, Key: x.other.Key}))
		}, tlsx.ReasonMalformed, []string{"b.crl", "does not verify"}},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTrusting(t)
			crls := filepath.Join(x.dir, "crls")
			before := x.r.Current()
			tc.damage(x, crls)
			_, err := x.r.Reload()
			assert.ErrorContains(t, err, append(tc.want, "tlsx: CRL ", crls)...)
			noSecrets(t, x.client, err.Error())
			if fe, ok := errors.AsType[*tlsx.FileError](err); !ok || fe.Role != "CRL" {
				t.Errorf("%v is no FileError about a CRL", err)
			}
			assert.True(t, x.r.Current() == before, "last good")
			st := x.r.Status()
			assert.True(t, st.Degraded)
			assert.Equal(t, st.Reason, tc.reason)

			assert.NoError(t, os.RemoveAll(crls))
			mkdir(t, crls)
			x.crl("a.crl", crl{number: 2}.by(t, x.ca))
			x.crl(".hidden", []byte("ignored"))
			x.reload()
			assert.True(t, !x.r.Status().Degraded)
			assert.Equal(t, x.r.Current().CRLs()[0].Number, "2")
			assert.Equal(t, x.r.Current().CRLs()[0].Path, filepath.Join(crls, "a.crl"))
		})
	}
}

// A CA can leave the bundle before its CRL does, and bring both back.
func TestCRLOfRemovedCA(t *testing.T) {
	x := newTrusting(t)
	x.crl("b.crl", crl{number: 5}.by(t, x.other))
	x.reload()
	x.bundle(x.ca)
	x.reload()
	infos := x.r.Current().CRLs()
	assert.Equal(t, len(infos), 2)
	for _, info := range infos {
		assert.Equal(t, info.Ignored != "", info.Issuer == "CN=other,O=certtest")
	}
	x.bundle(x.ca, x.other)
	x.crl("b.crl", crl{number: 4}.by(t, x.other))
	_, err := x.r.Reload()
	assert.ErrorContains(t, err, "is older (4")
}

func TestLoadCRL(t *testing.T) {
	x := newTrusting(t)
	files := filesIn(x.dir)
	file := filepath.Join(x.dir, "crls", "a.crl")
	files.CRL = []string{file, filepath.Join(x.dir, "crls")}
	s, err := tlsx.Load(files)
	assert.NoError(t, err)
	assert.Equal(t, len(s.CRLs()), 1, "the same CRL twice is one")
	for name, tc := range map[string]struct {
		edit func(*tlsx.Files)
		want []string
	}{
		"empty entry":  {func(f *tlsx.Files) { f.CRL = []string{""} }, []string{"tlsx: CRL: ", "empty entry of Files.CRL"}},
		"missing":      {func(f *tlsx.Files) { f.CRL = []string{"/nowhere/x.crl"} }, []string{`"/nowhere/x.crl"`, "no such file"}},
		"a device":     {func(f *tlsx.Files) { f.CRL = []string{"/dev/zero"} }, []string{`"/dev/zero"`, "is a device"}},
		"without CA":   {func(f *tlsx.Files) { f.ClientCA = "" }, []string{"Files.ClientCA"}},
		"no client":    {func(f *tlsx.Files) { f.ClientCA, f.ClientAuth = "", tlsx.NoClientCert }, []string{"tlsx: CRL: ", "never be used"}},
		"bad matcher":  {func(f *tlsx.Files) { f.Allow = []tlsx.Matcher{tlsx.AllowDNS("*")} }, []string{"tlsx: allow list: Files.Allow[0]", `"*"`}},
		"certificates": {func(f *tlsx.Files) { f.CRL = []string{f.ClientCA} }, nil},
	} {
		f := files
		tc.edit(&f)
		_, err := tlsx.Load(f)
		if tc.want != nil {
			assert.ErrorContains(t, err, tc.want...)
		} else {
			assert.NoError(t, err, name) // helps to verify CRLs, and holds none
		}
	}

	// An oversized certificate is refused at the smaller limit still.
	big := certtest.WriteFile(t, x.dir, "big.crt", append(x.server.CertPEM(), bytes.Repeat([]byte("#\n"), 1<<19)...))
	files.Cert = big
	_, err = tlsx.Load(files)
	assert.ErrorContains(t, err, "larger than 1048576 bytes")
}
