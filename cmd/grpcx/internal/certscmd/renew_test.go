package certscmd_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
)

func TestRenew(t *testing.T) {
	newCA(t)
	mustRun(t, "issue", "--out", "api", "--dns", "localhost", "--cn", "api", "--key", "rsa-2048", "--lifetime", "1h")
	before := load(t, "api", tlsx.ForServer).Leaf()
	data, err := os.Readlink("api/..data")
	assert.NoError(t, err)
	assert.Contains(t, mustRun(t, "renew", "api"), "api: not due before ")
	assert.Equal(t, load(t, "api", tlsx.ForServer).Leaf().SerialNumber, before.SerialNumber)

	assert.Contains(t, mustRun(t, "renew", "--force", "api"), "api: renewed for localhost until ")
	after := load(t, "api", tlsx.ForServer).Leaf()
	assert.True(t, after.SerialNumber.Cmp(before.SerialNumber) != 0, "serial number")
	assert.True(t, string(after.RawSubjectPublicKeyInfo) != string(before.RawSubjectPublicKeyInfo), "key")
	assert.Equal(t, after.DNSNames, before.DNSNames)
	assert.Equal(t, after.RawSubject, before.RawSubject)
	assert.Equal(t, after.NotAfter.Sub(after.NotBefore), before.NotAfter.Sub(before.NotBefore))
	if _, err := os.Stat(filepath.Join("api", data)); err == nil {
		t.Error("the old key is still there")
	}
	mustRun(t, "renew", "--force", "--lifetime", "2h", "api")
	assert.Equal(t, load(t, "api", tlsx.ForServer).Leaf().NotAfter.Sub(load(t, "api", tlsx.ForServer).Leaf().NotBefore), 2*time.Hour+5*time.Minute)
}

// The third life ends with the authority, and there is a warning.
func TestRenewEndsWithAuthority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newCA(t, "--lifetime", "3h")
		mustRun(t, "issue", "--out", "api", "--dns", "localhost", "--lifetime", "2h")
		time.Sleep(90 * time.Minute)
		r := run(t, "renew", "api")
		assert.Equal(t, r.code, 0)
		assert.Contains(t, r.err, "ends with its authority")
		assert.Equal(t, time.Until(load(t, "api", tlsx.ForServer).NotAfter()), 90*time.Minute)
		time.Sleep(91 * time.Minute)
		assert.Contains(t, run(t, "renew", "api").err, "expired")
	})
}

func TestRenewLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newCA(t)
		mustRun(t, "issue", "--out", "api", "--dns", "localhost", "--lifetime", "3h")
		mustRun(t, "issue", "--out", "web", "--dns", "localhost", "--lifetime", "90m", "--profile", "client")
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Hour+time.Second)
		defer cancel()
		r := runContext(ctx, t, "renew", "--loop", "--jitter", "0", "-o", "json", "api", "web")
		assert.Equal(t, r.code, 0)
		assert.Equal(t, r.err, "")
		got := map[string][]time.Duration{}
		for line := range strings.Lines(r.out) {
			var v struct {
				Directory   string
				Renewed     bool
				Due         time.Time
				Certificate struct {
					NotAfter time.Time `json:"not_after"`
				}
			}
			assert.NoError(t, json.Unmarshal([]byte(line), &v))
			assert.True(t, v.Renewed)
			life := map[string]time.Duration{"api": 3 * time.Hour, "web": 90 * time.Minute}[v.Directory]
			got[v.Directory] = append(got[v.Directory], v.Certificate.NotAfter.Add(-life).Sub(start))
		}
		hours := func(n ...int) (out []time.Duration) {
			for _, i := range n {
				out = append(out, time.Duration(i)*time.Hour)
			}
			return out
		}
		assert.Equal(t, got["api"], hours(2, 4, 6))
		assert.Equal(t, got["web"], hours(1, 2, 3, 4, 5, 6))
	})
}

// What fails is tried again, with pauses that grow, until it is mended.
func TestRenewLoopRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newCA(t)
		mustRun(t, "issue", "--out", "api", "--dns", "localhost", "--lifetime", "1h")
		go func() {
			time.Sleep(time.Minute)
			_ = os.Rename("ca/ca.key", "ca/away")
			time.Sleep(30*time.Minute + 5*time.Second)
			_ = os.Rename("ca/away", "ca/ca.key")
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Minute)
		defer cancel()
		r := runContext(ctx, t, "renew", "--loop", "--at", "0.5", "--jitter", "0", "api")
		assert.Equal(t, r.code, 0)
		assert.Equal(t, strings.Count(r.out, "renewed"), 1)
		assert.Contains(t, r.err, "trying again in 1s", "trying again in 32s", "trying again in 1m0s", "ca.key")
	})
}

func TestRenewEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newCA(t)
		mustRun(t, "issue", "--out", "api", "--dns", "localhost", "--lifetime", "10s")
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute+time.Second)
		defer cancel()
		r := runContext(ctx, t, "renew", "--loop", "--every", "2s", "api")
		assert.Equal(t, r.code, 0)
		assert.Equal(t, r.err, "")
		assert.Equal(t, strings.Count(r.out, "renewed"), 60)
		entries, err := os.ReadDir("api")
		assert.NoError(t, err)
		assert.Equal(t, len(entries), 5) // ..data, one directory and three links
	})
}

// Jitter only makes a renewal come earlier, and by no more than its share.
func TestRenewJitter(t *testing.T) {
	newCA(t)
	mustRun(t, "issue", "--out", "api", "--dns", "localhost", "--lifetime", "10h")
	notAfter := load(t, "api", tlsx.ForServer).NotAfter()
	seen := map[time.Time]bool{}
	for range 20 {
		var v struct{ Due time.Time }
		assert.NoError(t, json.Unmarshal([]byte(mustRun(t, "renew", "--at", "0.5", "--jitter", "0.1", "-o", "json", "api")), &v))
		left := notAfter.Sub(v.Due)
		assert.True(t, left >= 5*time.Hour && left <= 6*time.Hour+time.Second, left.String())
		seen[v.Due] = true
	}
	assert.True(t, len(seen) > 1, "no jitter")
}

func TestRenewRefuses(t *testing.T) {
	newCA(t)
	mustRun(t, "init-ca", "--ca", "other")
	mustRun(t, "issue", "--out", "api", "--dns", "localhost", "--lifetime", "1h")
	assert.NoError(t, os.MkdirAll("plain", 0o700))
	for _, name := range []string{"tls.crt", "tls.key", "ca.crt"} {
		write(t, "plain/"+name, "x")
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"requires at least 1 arg", nil},
		{"check the path", []string{"none"}},
		{"is no link through ..data", []string{"plain"}},
		{"holds no tls.crt", []string{"ca"}},
		{"--at 1.5 is out of range", []string{"--at", "1.5", "api"}},
		{"--jitter 0.9 is out of range", []string{"--jitter", "0.9", "api"}},
		{"--every needs --loop", []string{"--every", "1m", "api"}},
		{"is not shorter than", []string{"--loop", "--every", "2h", "api"}},
		{"none of the others can be", []string{"--loop", "--every", "2m", "--at", "0.4", "api"}},
		{"was not issued by --ca", []string{"--ca", "other", "--force", "api"}},
		{"init-ca", []string{"--ca", "none", "--force", "api"}},
	} {
		refused(t, c.want, append([]string{"renew"}, c.args...)...)
	}
	mustRun(t, "revoke", "api")
	r := run(t, "renew", "--force", "api")
	assert.Equal(t, r.code, 1)
	assert.Contains(t, r.err, "was revoked at")
}
