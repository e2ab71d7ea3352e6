package tlsx_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
)

// Observers may panic and may call the reloader; events stay in order and
// never overlap.
func TestReloaderObservers(t *testing.T) {
	dir := t.TempDir()
	newIssue(t, 0).write(t, dir)
	rec := newRecorder()
	var r *tlsx.Reloader
	var inside atomic.Int32
	reentrant := func(e tlsx.Event) {
		if inside.Add(1) != 1 {
			t.Error("observers overlap")
		}
		defer inside.Add(-1)
		if e, ok := e.(tlsx.Reloaded); ok {
			assert.True(t, r.Status().Generation >= e.Generation)
			_, _ = r.Reload()
		}
	}
	opts := append(slices.Clone(quick), tlsx.WithObserver(func(tlsx.Event) { panic("on purpose") }), tlsx.WithObserver(nil), tlsx.WithObserver(reentrant))
	r = newReloader(t, filesIn(dir), rec.options(opts...)...)
	var want []string
	for n := 1; n <= 3; n++ {
		assert.NoError(t, os.Remove(filepath.Join(dir, "tls.key")))
		_, err := r.Reload()
		assert.ErrorIs(t, err, os.ErrNotExist)
		newIssue(t, n).write(t, dir)
		_, err = r.Reload()
		assert.NoError(t, err)
		want = append(want, "failed missing", "degraded missing", "reloaded "+string(rune('1'+n)), "recovered")
	}
	assert.Equal(t, rec.kinds(), want)
	assert.Equal(t, len(linesWith(rec.text(), "tls observer panicked")), len(want))
}

// An observer or log handler that hangs delays neither the adoption nor the end
// of Run for long.
func TestReloaderSlowObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		newIssue(t, 0).write(t, dir)
		hang := make(chan struct{})
		rec := newRecorder()
		r := newReloader(t, filesIn(dir), rec.options(tlsx.WithoutEvents(), tlsx.WithObserver(func(tlsx.Event) { <-hang }))...)
		stop := start(t, r)
		for n := 1; n <= 5; n++ {
			next := newIssue(t, n)
			next.write(t, dir)
			assert.True(t, await(t, r, "despite the observer", next.served) <= 10*time.Second)
		}
		began := time.Now()
		stop()
		assert.Equal(t, time.Since(began), time.Second)
		close(hang)
		synctest.Wait()
		assert.Equal(t, len(rec.kinds()), 6, "all are delivered in the end")
	})
}

// More than may wait are dropped, the oldest first, and counted.
func TestReloaderDroppedEvents(t *testing.T) {
	dir := t.TempDir()
	newIssue(t, 0).write(t, dir)
	rec := newRecorder()
	var r *tlsx.Reloader
	first := true
	flood := func(tlsx.Event) {
		if !first {
			return
		}
		first = false
		path := filepath.Join(dir, "ca.crt")
		for n := range 1100 {
			assert.NoError(t, os.WriteFile(path, []byte{byte('a' + n%2)}, 0o600))
			_, err := r.Reload()
			assert.True(t, err != nil)
		}
	}
	r = newReloader(t, filesIn(dir), rec.options(append(quick, tlsx.WithObserver(flood))...)...)
	newIssue(t, 1).write(t, dir)
	_, err := r.Reload()
	assert.NoError(t, err)
	assert.Equal(t, len(rec.kinds()), 1+1024)
	assert.Contains(t, rec.text(), "tls events dropped", "dropped=77")
}

// brokenHandler panics.
type brokenHandler struct{ slog.Handler }

func (brokenHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (brokenHandler) Handle(context.Context, slog.Record) error { panic("on purpose") }

func TestReloaderBrokenLogger(t *testing.T) {
	dir := t.TempDir()
	newIssue(t, 0).write(t, dir)
	rec := newRecorder()
	r := newReloader(t, filesIn(dir), append(quick, tlsx.WithLogger(slog.New(brokenHandler{})), tlsx.WithObserver(rec.observe))...)
	newIssue(t, 1).write(t, dir)
	_, err := r.Reload()
	assert.NoError(t, err)
	assert.Equal(t, rec.kinds(), []string{"reloaded 2"})
}
