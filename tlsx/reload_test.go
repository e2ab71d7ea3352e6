package tlsx_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// quick is a reloader whose Reload takes milliseconds.
var quick = []tlsx.ReloaderOption{
	tlsx.WithSettle(time.Millisecond), tlsx.WithoutEvents(), tlsx.WithLogger(slog.New(slog.DiscardHandler)),
}

func TestNewReloaderFails(t *testing.T) {
	_, err := tlsx.NewReloader(tlsx.Files{Cert: "/no/such.crt", Key: "/no/such.key", ClientCA: "/no/such.ca"})
	assert.ErrorContains(t, err, "certificate", "private key", "client CA", "no such file")
	_, err = tlsx.NewReloader(tlsx.Files{})
	assert.ErrorContains(t, err, "set Files.Cert")

	dir := t.TempDir()
	newIssue(t, 0).write(t, dir)
	for _, tc := range []struct {
		opts []tlsx.ReloaderOption
		want string
	}{
		{[]tlsx.ReloaderOption{tlsx.WithPollInterval(99 * time.Millisecond)}, "WithPollInterval(99ms) is too short; use at least 100ms"},
		{[]tlsx.ReloaderOption{tlsx.WithPollInterval(-1)}, "too short"},
		{[]tlsx.ReloaderOption{tlsx.WithSettle(6 * time.Second)}, "longer than half the poll interval of 10s"},
		{[]tlsx.ReloaderOption{tlsx.WithSettle(-1)}, "WithSettle(-1ns) is too short"},
	} {
		_, err := tlsx.NewReloader(filesIn(dir), tc.opts...)
		assert.ErrorContains(t, err, tc.want)
	}
	_, err = tlsx.NewReloader(filesIn(dir), tlsx.WithPollInterval(100*time.Millisecond), nil)
	assert.NoError(t, err)
	assert.Equal(t, tlsx.WithPollInterval(time.Second).String(), "WithPollInterval(1s)")
}

// Relative paths keep their meaning when the process changes its directory.
func TestReloaderRelativePaths(t *testing.T) {
	dir := t.TempDir()
	newIssue(t, 0).write(t, dir)
	t.Chdir(dir)
	r := newReloader(t, filesIn("."), quick...)
	t.Chdir(os.TempDir())
	next := newIssue(t, 1)
	next.write(t, dir)
	result, err := r.Reload()
	assert.NoError(t, err)
	assert.True(t, result.Changed)
	assert.True(t, next.served(r.Current()))
}

// reloads writes files in turn and checks what each Reload makes of them.
func TestReloadChanges(t *testing.T) {
	root, other := certtest.NewCA(t, "root"), certtest.NewCA(t, "other")
	mid := root.Intermediate(t, "mid")
	low := mid.Intermediate(t, "low")
	leaf := low.Issue(t, certtest.Template{})
	mid2 := *mid
	mid2.Cert = root.CrossSign(t, mid) // the same key and name, another certificate
	replaced := append(append([]*x509.Certificate{}, leaf.Chain[:2]...), mid2.Cert)
	disordered := []*x509.Certificate{leaf.Chain[0], leaf.Chain[2], leaf.Chain[1]}
	sec1, err := x509.MarshalECPrivateKey(leaf.Key.(*ecdsa.PrivateKey))
	assert.NoError(t, err)
	renewed := low.Issue(t, certtest.Template{Key: leaf.Key})
	comment := []byte("# a comment\n")

	dir := t.TempDir()
	base := issueOf(t, root, leaf)
	base.write(t, dir)
	rec := newRecorder()
	r := newReloader(t, filesIn(dir), rec.options(quick...)...)
	generation := uint64(1)
	for _, step := range []struct {
		what           string
		name           string
		data           []byte
		changed, trust bool
	}{
		{"nothing", "tls.crt", base.data["tls.crt"], false, false},
		{"a comment in the chain", "tls.crt", append(comment, base.data["tls.crt"]...), false, false},
		{"a comment in the bundle", "ca.crt", append(comment, base.data["ca.crt"]...), false, false},
		{"the key in another encoding", "tls.key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}), false, false},
		{"an intermediate alone", "tls.crt", certtest.CertPEM(replaced...), true, false},
		{"the intermediate back", "tls.crt", base.data["tls.crt"], true, false},
		{"intermediates in disorder", "tls.crt", certtest.CertPEM(disordered...), false, false},
		{"a new leaf with the same key", "tls.crt", renewed.CertPEM(), true, false},
		{"the root served too", "tls.crt", append(renewed.CertPEM(), root.PEM()...), true, false},
		{"a CA more", "ca.crt", append(root.PEM(), other.PEM()...), true, true},
		{"the CAs in another order", "ca.crt", append(other.PEM(), root.PEM()...), false, false},
		{"a CA twice", "ca.crt", bytes.Repeat(append(other.PEM(), root.PEM()...), 2), false, false},
		{"a CA less", "ca.crt", other.PEM(), true, true},
	} {
		t.Run(step.what, func(t *testing.T) {
			before, changed := r.Current(), r.Changed()
			assert.NoError(t, os.WriteFile(filepath.Join(dir, step.name), step.data, 0o600))
			result, err := r.Reload()
			assert.NoError(t, err)
			if step.changed {
				generation++
				<-changed
			}
			assert.Equal(t, result, tlsx.ReloadResult{Generation: generation, Changed: step.changed, TrustChanged: step.trust})
			assert.Equal(t, r.Current().Generation(), generation)
			assert.Equal(t, r.Current() == before, !step.changed)
			assert.Equal(t, r.Current().TrustGeneration() == before.TrustGeneration(), !step.trust)
			assert.Equal(t, r.Status().Generation, generation)
		})
	}
	events, _ := rec.seen()
	assert.Equal(t, len(events), int(generation-1))
	assert.Equal(t, len(linesWith(rec.text(), "tls files reloaded")), int(generation-1))
}

// A chain that was out of order and now is in order serves old clients again.
func TestReloadOrderRepaired(t *testing.T) {
	root := certtest.NewCA(t, "root")
	leaf := root.Intermediate(t, "mid").Intermediate(t, "low").Issue(t, certtest.Template{})
	dir := t.TempDir()
	i := issueOf(t, root, leaf)
	i.data["tls.crt"] = certtest.CertPEM(leaf.Chain[0], leaf.Chain[2], leaf.Chain[1])
	i.write(t, dir)
	r := newReloader(t, filesIn(dir), quick...)
	issueOf(t, root, leaf).write(t, dir)
	result, err := r.Reload()
	assert.NoError(t, err)
	assert.Equal(t, result, tlsx.ReloadResult{Generation: 2, Changed: true})
}

// While trust is the same sessions resume; a change of trust ends them all.
func TestReloadResumption(t *testing.T) {
	root, other := certtest.NewCA(t, "root"), certtest.NewCA(t, "other")
	for version, v := range versions {
		t.Run(version, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name string, data []byte) { certtest.WriteFile(t, dir, name, data) }
			issueOf(t, root, root.Issue(t, certtest.Server)).write(t, dir)
			r := newReloader(t, filesIn(dir), quick...)
			server := tlsx.ServerConfig(r)
			client := withVersion(plainClient(root, root.Issue(t, certtest.Client).TLS()), v)
			client.ClientSessionCache = tls.NewLRUClientSessionCache(8)
			dial := func() (bool, error) {
				ss, _, serverErr, _ := handshake(t, server, client)
				return ss.DidResume, serverErr
			}
			reload := func() tlsx.ReloadResult {
				result, err := r.Reload()
				assert.NoError(t, err)
				assert.True(t, result.Changed)
				return result
			}
			expect := func(want bool, what string) {
				t.Helper()
				resumed, err := dial()
				assert.NoError(t, err)
				assert.Equal(t, resumed, want, what)
			}
			expect(false, "the first")
			expect(true, "the second")

			next := root.Issue(t, certtest.Server)
			write("tls.crt", next.CertPEM())
			write("tls.key", next.KeyPEM(t))
			assert.True(t, !reload().TrustChanged)
			expect(true, "after a new certificate")

			write("ca.crt", append(root.PEM(), other.PEM()...))
			assert.True(t, reload().TrustChanged)
			expect(false, "after a CA more")
			expect(true, "within the new trust")

			write("ca.crt", root.PEM())
			reload()
			expect(false, "back at the old trust")

			write("ca.crt", other.PEM())
			reload()
			_, err := dial()
			assert.ErrorContains(t, err, "unknown authority")
		})
	}
}

func TestReloaderStatus(t *testing.T) {
	dir := t.TempDir()
	ca := certtest.NewCA(t, "root", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(3 * time.Hour) })
	i := issueOf(t, ca, ca.Issue(t, certtest.Server))
	i.data["ca.crt"] = append(ca.PEM(), certtest.NewCA(t, "longer").PEM()...)
	i.write(t, dir)
	r := newReloader(t, filesIn(dir), quick...)
	st := r.Status()
	assert.True(t, !st.Running && !st.Degraded && !st.LastSuccess.IsZero() && st.LastSuccess.Equal(st.LastAttempt) && st.LastChange.Equal(st.LastAttempt))
	assert.Equal(t, st.Certificate, tlsx.Validity{NotBefore: i.leaf.Cert.NotBefore, NotAfter: i.leaf.Cert.NotAfter})
	assert.Equal(t, st.ClientCA.NotAfter, ca.Cert.NotAfter)

	assert.NoError(t, os.Remove(filepath.Join(dir, "ca.crt")))
	result, err := r.Reload()
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.Equal(t, result, tlsx.ReloadResult{Generation: 1})
	after := r.Status()
	assert.True(t, !st.Degraded, "a status is a copy")
	assert.True(t, after.Degraded && after.LastSuccess.Equal(st.LastSuccess) && after.LastAttempt.After(st.LastAttempt))
	assert.Equal(t, after.Error, err.Error())

	data, err := json.Marshal(after)
	assert.NoError(t, err)
	var back map[string]any
	assert.NoError(t, json.Unmarshal(data, &back))
	for key, want := range map[string]any{"running": false, "generation": 1.0, "degraded": true, "reason": "missing"} {
		assert.Equal(t, back[key], want, key)
	}
	for _, key := range []string{"last_change", "last_success", "last_attempt", "degraded_since", "error", "certificate", "client_ca"} {
		assert.True(t, back[key] != nil, key)
	}
	noSecrets(t, i.leaf, string(data))
}

// A server without client certificates has no bundle to show.
func TestReloaderStatusWithoutCA(t *testing.T) {
	dir := t.TempDir()
	newIssue(t, 0).write(t, dir)
	files := filesIn(dir)
	files.ClientCA, files.ClientAuth = "", tlsx.NoClientCert
	data, err := json.Marshal(newReloader(t, files).Status())
	assert.NoError(t, err)
	assert.NotContains(t, string(data), "client_ca", "reason", "watch_mode", "degraded_since", `"error"`)
}
