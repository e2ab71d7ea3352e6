package tlsx_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// Whatever happens to the files, the last good generation serves on, the state
// says why without a byte of a key, and it clears when the files are good again.
func TestReloadFailures(t *testing.T) {
	link := func(s *set, target string) {
		assert.NoError(s.t, os.Remove(s.files.Key))
		symlink(s.t, target, s.files.Key)
	}
	type failure struct {
		name   string
		role   string
		reason tlsx.ReloadReason
		bad    func(*set)
		want   []string
	}
	cases := []failure{
		{"directory in place of a file", "private key", tlsx.ReasonUnreadable, func(s *set) {
			assert.NoError(s.t, os.Remove(s.files.Key))
			mkdir(s.t, s.files.Key)
		}, []string{"is a directory"}},
		{"link to a device", "private key", tlsx.ReasonUnreadable, func(s *set) { link(s, os.DevNull) }, []string{"is a device"}},
		{"dangling link", "private key", tlsx.ReasonMissing, func(s *set) { link(s, "nowhere") }, []string{"no such file"}},
		{"link to itself", "private key", tlsx.ReasonUnreadable, func(s *set) { link(s, s.files.Key) }, []string{"too many levels"}},
		{"certificate without its key", "private key", tlsx.ReasonMismatch, func(s *set) {
			s.write(s.files.Cert, s.ca.Issue(s.t, certtest.Template{}).CertPEM())
		}, []string{"does not match"}},
		{"all gone", "certificate", tlsx.ReasonMissing, func(s *set) { assert.NoError(s.t, os.RemoveAll(s.dir)) }, []string{"no such file"}},
	}
	for _, b := range badSets {
		// Those that change the configuration or the certificate are not failures of files.
		if b.tpl.Edit == nil && b.tpl.NotBefore.IsZero() && b.tpl.Usages == nil && !strings.Contains(b.name, "named") {
			cases = append(cases, failure{b.name, b.role, "", b.bad, b.want})
		}
	}
	tested := 0
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			s := newSet(t, certtest.Template{})
			rec := newRecorder()
			r := newReloader(t, s.files, rec.options(quick...)...)
			good, files := r.Current(), s.files
			leaf := s.leaf
			tc.bad(s)
			if !reflect.DeepEqual(s.files, files) {
				t.Skip("the case concerns the names of the files")
			}
			tested++
			result, err := r.Reload()
			assert.ErrorContains(t, err, append(tc.want, tc.role)...)
			assert.Equal(t, result, tlsx.ReloadResult{Generation: 1})
			assert.True(t, r.Current() == good, "the last good one serves on")
			st := r.Status()
			assert.True(t, st.Degraded && st.Reason != "")
			if tc.reason != "" {
				assert.Equal(t, st.Reason, tc.reason)
			}
			_, again := r.Reload()
			assert.Equal(t, again.Error(), err.Error())
			assert.Equal(t, rec.kinds(), []string{"failed " + string(st.Reason), "degraded " + string(st.Reason)}, "reported once")
			assert.Equal(t, len(linesWith(rec.text(), "not adopted")), 1)
			_, _, serverErr, clientErr := handshake(t, tlsx.ServerConfig(r), plainClient(s.ca, s.ca.Issue(t, certtest.Client).TLS()))
			assert.NoError(t, serverErr)
			assert.NoError(t, clientErr)

			js, jsErr := json.Marshal(st)
			assert.NoError(t, jsErr)
			events, _ := rec.seen()
			for _, l := range []*certtest.Leaf{leaf, s.leaf} {
				noSecrets(t, l, rec.text(), string(js), err.Error(), fmt.Sprintf("%+v %#v", st, st), fmt.Sprintf("%+v %#v", events, err), fmt.Sprintf("%+v %#v", r.Current(), *r.Current()))
			}

			_ = os.RemoveAll(files.Key)
			mkdir(t, s.dir)
			issueOf(t, s.ca, leaf).write(t, s.dir)
			_, err = r.Reload()
			assert.NoError(t, err)
			assert.True(t, !r.Status().Degraded && r.Current() == good)
			assert.Equal(t, rec.kinds()[2:], []string{"recovered"})
		})
	}
	assert.True(t, tested > 30, fmt.Sprint("only ", tested))
}

func TestReloadPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read every file")
	}
	s := newSet(t, certtest.Template{})
	r := newReloader(t, s.files, quick...)
	assert.NoError(t, os.Chmod(s.files.Key, 0))
	_, err := r.Reload()
	assert.ErrorIs(t, err, os.ErrPermission)
	assert.Equal(t, r.Status().Reason, tlsx.ReasonUnreadable)
	assert.NoError(t, os.Chmod(s.files.Key, 0o600))
	_, err = r.Reload()
	assert.NoError(t, err)
}

// A bundle that lost its end at a block boundary parses. Only time tells it
// from a smaller one: while it is being written it is not adopted.
func TestReloadNeverAdoptsHalfABundle(t *testing.T) {
	inBubble(t, nil, func(b *bed) {
		i := newIssue(t, 1)
		half := i.data["ca.crt"]
		whole := slices.Concat(newIssue(t, 2).data["ca.crt"], half)
		for n := range 5 {
			whole = append(fmt.Appendf(nil, "# %d\n", n), whole...)
			b.write(issue{data: map[string][]byte{"ca.crt": half}}, "ca.crt")
			b.event(1, "ca.crt")
			b.pass(150e6)
			b.write(issue{data: map[string][]byte{"ca.crt": whole}}, "ca.crt")
			b.event(1, "ca.crt")
			b.pass(1e9)
			assert.Equal(t, len(b.r.Current().ClientCAs()), 2)
		}
		b.kinds("reloaded 2")
	})
}

// Both files of a set in one directory that another process swaps all the time
// are always read as one.
func TestReloadReadsOneDirectory(t *testing.T) {
	dir := t.TempDir()
	a, b := newIssue(t, 1), newIssue(t, 2)
	a.write(t, mkdir(t, dir, "a"))
	b.write(t, mkdir(t, dir, "b"))
	symlink(t, "a", filepath.Join(dir, "live"))
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			for _, target := range []string{"b", "a"} {
				select {
				case <-stop:
					return
				default:
				}
				_ = os.Symlink(target, filepath.Join(dir, "next"))
				_ = os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "live"))
			}
		}
	}()
	defer func() { close(stop); <-done }()
	adopted := 0
	for range 300 {
		r, err := tlsx.NewReloader(filesIn(filepath.Join(dir, "live")), quick...)
		if err != nil {
			assert.ErrorContains(t, err, "keep changing") // and nothing else
			continue
		}
		adopted++
		if s := r.Current(); !a.served(s) && !b.served(s) {
			t.Fatalf("a mixed set: %v", s)
		}
	}
	t.Logf("%d of 300 settled", adopted)
}
