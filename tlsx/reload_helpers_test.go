package tlsx_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// issue is one generation of material: the leaf of a CA, both named after it.
type issue struct {
	ca   *certtest.CA
	leaf *certtest.Leaf
	data map[string][]byte // tls.crt, tls.key and ca.crt
}

func newIssue(t testing.TB, n int) issue {
	t.Helper()
	ca := certtest.NewCA(t, fmt.Sprintf("gen-%d", n))
	return issueOf(t, ca, ca.Issue(t, certtest.Template{CommonName: fmt.Sprintf("gen-%d", n)}))
}

func issueOf(t testing.TB, ca *certtest.CA, leaf *certtest.Leaf) issue {
	t.Helper()
	return issue{ca, leaf, map[string][]byte{"tls.crt": leaf.CertPEM(), "tls.key": leaf.KeyPEM(t), "ca.crt": ca.PEM()}}
}

// served reports whether all of i is current.
func (i issue) served(s *tlsx.Snapshot) bool {
	return s.Leaf().Equal(i.leaf.Cert) && len(s.ClientCAs()) == 1 && s.ClientCAs()[0].Equal(i.ca.Cert)
}

// write writes the files to dir, in place.
func (i issue) write(t testing.TB, dir string) {
	t.Helper()
	for name, data := range i.data {
		assert.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
}

// replace writes the files to dir as consul-template does: each to a temporary
// file that is renamed.
func (i issue) replace(t testing.TB, dir string) {
	t.Helper()
	for name, data := range i.data {
		tmp := filepath.Join(dir, "."+name+".tmp")
		assert.NoError(t, os.WriteFile(tmp, data, 0o600))
		assert.NoError(t, os.Rename(tmp, filepath.Join(dir, name)))
	}
}

func filesIn(dir string) tlsx.Files {
	return tlsx.Files{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), ClientCA: filepath.Join(dir, "ca.crt")}
}

// recorder collects events and log lines.
type recorder struct {
	mu     sync.Mutex
	events []tlsx.Event
	log    bytes.Buffer
	added  chan struct{} // closed at the next event
}

func newRecorder() *recorder { return &recorder{added: make(chan struct{})} }

func (r *recorder) observe(e tlsx.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	close(r.added)
	r.added = make(chan struct{})
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

// seen returns the events so far and a channel that is closed at the next.
func (r *recorder) seen() ([]tlsx.Event, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events), r.added
}

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

// kinds names the events so far.
func (r *recorder) kinds() []string {
	events, _ := r.seen()
	var out []string
	for _, e := range events {
		out = append(out, kindOf(e))
	}
	return out
}

func kindOf(e tlsx.Event) string {
	switch e := e.(type) {
	case tlsx.Reloaded:
		return fmt.Sprintf("reloaded %d", e.Generation)
	case tlsx.ReloadFailed:
		return "failed " + string(e.Reason)
	case tlsx.Degraded:
		return "degraded " + string(e.Reason)
	case tlsx.Recovered:
		return "recovered"
	case tlsx.WatchModeChanged:
		return "mode " + string(e.Mode)
	}
	return fmt.Sprintf("%T", e)
}

// await waits for the n-th event, from 1, of a kind.
func (r *recorder) await(t testing.TB, kind string, n int) tlsx.Event {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		events, added := r.seen()
		left := n
		for _, e := range events {
			if kindOf(e) == kind {
				if left--; left == 0 {
					return e
				}
			}
		}
		select {
		case <-added:
		case <-timeout:
			t.Fatalf("no event %q number %d in %q", kind, n, r.kinds())
		}
	}
}

// options makes r see and log everything.
func (r *recorder) options(more ...tlsx.ReloaderOption) []tlsx.ReloaderOption {
	logger := slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return append(slices.Clone(more), tlsx.WithLogger(logger), tlsx.WithObserver(r.observe))
}

func newReloader(t testing.TB, files tlsx.Files, opts ...tlsx.ReloaderOption) *tlsx.Reloader {
	t.Helper()
	r, err := tlsx.NewReloader(files, opts...)
	assert.NoError(t, err)
	return r
}

// start runs r until stop is called or the test ends.
func start(t testing.TB, r *tlsx.Reloader) (stop func()) {
	t.Helper()
	ctx, cancel := contextOf(t)
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			assert.NoError(t, <-done)
		})
	}
	t.Cleanup(stop)
	return stop
}

// await waits until the current snapshot is as wanted and returns how long that
// took.
func await(t testing.TB, r *tlsx.Reloader, what string, want func(*tlsx.Snapshot) bool) time.Duration {
	t.Helper()
	began := time.Now()
	timeout := time.After(20 * time.Second)
	for {
		changed := r.Changed()
		if want(r.Current()) {
			return time.Since(began)
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("%s: not adopted; status %+v", what, r.Status())
		}
	}
}

func contextOf(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

// linesWith returns the lines of text that hold part.
func linesWith(text, part string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			out = append(out, line)
		}
	}
	return out
}
