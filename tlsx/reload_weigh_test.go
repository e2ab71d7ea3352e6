package tlsx_test

import (
	"crypto/x509"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// A new certificate with a defect is refused while the current one is better
// and taken, with a warning, when that is worse.
func TestReloadWeighs(t *testing.T) {
	at := func(from, to time.Duration, names ...string) func(now time.Time) certtest.Template {
		return func(now time.Time) certtest.Template {
			return certtest.Template{NotBefore: now.Add(from), NotAfter: now.Add(to), DNSNames: names}
		}
	}
	both := []string{"a.test", "b.test"}
	good := at(-time.Hour, 24*time.Hour, both...)
	wrongUse := func(now time.Time) certtest.Template {
		tpl := good(now)
		tpl.Usages = certtest.Client.Usages
		return tpl
	}
	keep := tlsx.WithKeptSANs()
	for _, tc := range []struct {
		name     string
		current  time.Duration // how long the current one is still valid; negative: it has expired
		next     func(now time.Time) certtest.Template
		opts     []tlsx.ReloaderOption
		reason   tlsx.ReloadReason // empty: adopted
		want     string
		warnings bool
	}{
		{"good", time.Hour, good, nil, "", "", false},
		{"expired", time.Hour, at(-2*time.Hour, -time.Minute), nil, tlsx.ReasonExpired, "expired at", false},
		{"not yet valid", time.Hour, at(time.Minute, time.Hour), nil, tlsx.ReasonNotYetValid, "not valid before", false},
		{"wrong usage", time.Hour, wrongUse, nil, tlsx.ReasonWrongUsage, "serverAuth", false},
		{"names lost", time.Hour, at(-time.Hour, time.Hour, "b.test"), nil, "", "", false},
		{"names lost, to be kept", time.Hour, at(-time.Hour, time.Hour, "b.test", "c.test"), []tlsx.ReloaderOption{keep}, tlsx.ReasonLostSANs, "lacks names of the current certificate: a.test;", false},
		{"names kept in another case", time.Hour, at(-time.Hour, time.Hour, "B.test", "A.TEST", "c.test"), []tlsx.ReloaderOption{keep}, "", "", false},

		{"good after an expired one", -time.Hour, good, nil, "", "", false},
		{"expired later than the current", -time.Hour, at(-3*time.Hour, -time.Minute), nil, "", "expired at", true},
		{"expired before the current", -time.Hour, at(-9*time.Hour, -2*time.Hour), nil, tlsx.ReasonExpired, "expired at", false},
		{"not yet valid after an expired one", -time.Hour, at(time.Minute, time.Hour), nil, "", "not valid before", true},
		{"names lost after an expired one", -time.Hour, at(-time.Hour, time.Hour, "b.test"), []tlsx.ReloaderOption{keep}, "", "a.test", true},
		{"wrong usage after an expired one", -time.Hour, wrongUse, nil, tlsx.ReasonWrongUsage, "serverAuth", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				ca := certtest.NewCA(t, "root", func(c *x509.Certificate) {
					c.NotBefore, c.NotAfter = c.NotBefore.Add(-48*time.Hour), c.NotAfter.Add(48*time.Hour)
				})
				// The current one is made valid for a while; then time passes.
				life := max(tc.current, time.Minute)
				issueOf(t, ca, ca.Issue(t, at(-12*time.Hour, life, both...)(time.Now()))).write(t, dir)
				rec := newRecorder()
				r := newReloader(t, filesIn(dir), rec.options(append(tc.opts, tlsx.WithoutEvents())...)...)
				if tc.current < 0 {
					time.Sleep(life - tc.current)
				}
				next := issueOf(t, ca, ca.Issue(t, tc.next(time.Now())))
				next.write(t, dir)
				result, err := r.Reload()
				if tc.reason != "" {
					assert.ErrorContains(t, err, tc.want)
					assert.True(t, !result.Changed)
					assert.Equal(t, r.Status().Reason, tc.reason)
					return
				}
				assert.NoError(t, err)
				assert.True(t, result.Changed && !result.TrustChanged)
				assert.True(t, next.served(r.Current()))
				assert.True(t, !r.Status().Degraded)
				e, ok := rec.await(t, "reloaded 2", 1).(tlsx.Reloaded)
				assert.True(t, ok)
				assert.Equal(t, e.Warning != nil, tc.warnings)
				assert.Equal(t, strings.Contains(rec.text(), "level=WARN"), tc.warnings)
				if tc.warnings {
					assert.ErrorContains(t, e.Warning, tc.want)
				}
			})
		})
	}
}

// What was refused for its time is adopted when its time comes, without any
// further change of the files.
func TestReloadAdoptsInTime(t *testing.T) {
	inBubble(t, nil, func(b *bed) {
		ca := certtest.NewCA(t, "root")
		next := issueOf(t, ca, ca.Issue(t, certtest.Template{NotBefore: time.Now().Add(5 * time.Minute)}))
		next.write(t, b.dir)
		b.event(1, "tls.crt")
		b.within(time.Second, b.degraded)
		b.pass(4 * time.Minute)
		assert.True(t, b.degraded())
		b.pass(70 * time.Second)
		assert.True(t, next.served(b.r.Current()))
		b.kinds("failed not-yet-valid", "degraded not-yet-valid", "reloaded 2", "recovered")
	})
}

// An expired certificate or bundle that stays does not hold up a change of the
// other.
func TestReloadBesideExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		long := func(c *x509.Certificate) { c.NotAfter = c.NotAfter.Add(48 * time.Hour) }
		root, short := certtest.NewCA(t, "root", long), certtest.NewCA(t, "short")
		i := issueOf(t, root, root.Issue(t, certtest.Template{}))
		i.data["ca.crt"] = short.PEM()
		i.write(t, dir)
		r := newReloader(t, filesIn(dir), newRecorder().options(tlsx.WithoutEvents())...)
		time.Sleep(25 * time.Hour) // the leaf and the only CA are expired
		reload := func(want tlsx.ReloadResult) {
			t.Helper()
			result, err := r.Reload()
			assert.NoError(t, err)
			assert.Equal(t, result, want)
		}
		certtest.WriteFile(t, dir, "ca.crt", append(short.PEM(), root.PEM()...))
		reload(tlsx.ReloadResult{Generation: 2, Changed: true, TrustChanged: true})

		certtest.WriteFile(t, dir, "ca.crt", short.PEM())
		_, err := r.Reload()
		assert.ErrorContains(t, err, "none of its 1 certificates is valid")
		certtest.WriteFile(t, dir, "ca.crt", root.PEM())
		reload(tlsx.ReloadResult{Generation: 3, Changed: true, TrustChanged: true})
		next := root.Issue(t, certtest.Template{})
		certtest.WriteFile(t, dir, "tls.crt", next.CertPEM())
		certtest.WriteFile(t, dir, "tls.key", next.KeyPEM(t))
		reload(tlsx.ReloadResult{Generation: 4, Changed: true})
	})
}
