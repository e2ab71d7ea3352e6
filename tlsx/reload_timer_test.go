package tlsx_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
)

// A change is judged when there was no event for the settle time and two reads
// that far apart agree.
func TestReloadSettles(t *testing.T) {
	inBubble(t, nil, func(b *bed) {
		newIssue(t, 1).write(t, b.dir)
		b.event(fsnotify.Write, "tls.crt")
		assert.Equal(t, b.within(time.Second, b.generation(2)), 200*time.Millisecond)
		b.pass(time.Minute)
		b.kinds("reloaded 2")
	})
}

// A writer in two steps, less than the settle time apart, is no failure.
func TestReloadTwoSteps(t *testing.T) {
	inBubble(t, nil, func(b *bed) {
		next := newIssue(t, 1)
		b.write(next, "tls.crt")
		b.event(fsnotify.Write, "tls.crt")
		b.pass(199 * time.Millisecond)
		assert.True(t, !b.degraded())
		b.write(next, "tls.key")
		b.write(next, "ca.crt")
		b.event(fsnotify.Write, "tls.key")
		b.within(time.Second, b.generation(2))
		b.kinds("reloaded 2")

		// Longer apart: the old pair serves on, and it is said why.
		next = newIssue(t, 2)
		b.write(next, "tls.crt")
		b.event(fsnotify.Write, "tls.crt")
		assert.Equal(t, b.within(time.Second, b.degraded), 200*time.Millisecond)
		st := b.r.Status()
		assert.Equal(t, st.Reason, tlsx.ReasonMismatch)
		assert.Contains(t, st.Error, "does not match the certificate", filepath.Join(b.dir, "tls.key"))
		assert.Equal(t, st.Generation, uint64(2))
		next.write(t, b.dir)
		b.event(fsnotify.Write, "tls.key")
		b.within(time.Second, b.generation(3))
		b.kinds("reloaded 2", "failed mismatch", "degraded mismatch", "reloaded 3", "recovered")
		assert.True(t, !b.degraded())
		assert.Equal(t, b.r.Status().Error, "")
		assert.True(t, b.r.Status().DegradedSince.IsZero())
	})
}

// Events without end put the look off by ten settle times at most.
func TestReloadEventsWithoutEnd(t *testing.T) {
	inBubble(t, nil, func(b *bed) {
		newIssue(t, 1).write(t, b.dir)
		took := b.within(2*time.Second, func() bool {
			b.event(fsnotify.Chmod, "tls.crt")
			return b.r.Current().Generation() == 2
		})
		assert.True(t, took >= time.Second && took <= 1200*time.Millisecond, took.String())
	})
}

// Files that never stay the same are reported, never adopted, and served once
// they rest.
func TestReloadUnsettled(t *testing.T) {
	inBubble(t, nil, func(b *bed) {
		next := newIssue(t, 1)
		next.write(t, b.dir)
		path := filepath.Join(b.dir, "tls.crt")
		n := 0
		took := b.within(time.Minute, func() bool {
			n++
			assert.NoError(t, os.WriteFile(path, fmt.Appendf(nil, "# %d\n%s", n, next.data["tls.crt"]), 0o600))
			b.event(fsnotify.Write, "tls.crt")
			return b.degraded()
		})
		assert.True(t, took >= 10*time.Second && took < 11*time.Second, took.String())
		assert.Equal(t, b.r.Status().Reason, tlsx.ReasonUnsettled)
		assert.Equal(t, b.r.Current().Generation(), uint64(1))
		b.within(time.Second, b.generation(2))
		b.kinds("failed unsettled", "degraded unsettled", "reloaded 2", "recovered")
	})
}

// Retries start at the settle time and double up to the poll interval, without
// a further report.
func TestReloadBackoff(t *testing.T) {
	inBubble(t, nil, func(b *bed) {
		good, err := os.ReadFile(filepath.Join(b.dir, "tls.key"))
		assert.NoError(t, err)
		assert.NoError(t, os.Remove(filepath.Join(b.dir, "tls.key")))
		b.event(fsnotify.Remove, "tls.key")
		b.within(time.Second, b.degraded)
		last := b.r.Status().LastAttempt
		wait := 100 * time.Millisecond
		for wait < time.Hour {
			b.pass(wait - time.Millisecond)
			assert.Equal(t, b.r.Status().LastAttempt, last, "not before its time")
			b.pass(time.Millisecond)
			next := b.r.Status().LastAttempt
			assert.Equal(t, next.Sub(last), wait)
			last = next
			wait *= 2
		}
		b.kinds("failed missing", "degraded missing")

		assert.NoError(t, os.WriteFile(filepath.Join(b.dir, "tls.key"), good, 0o600))
		b.pass(wait) // the next retry, without an event
		b.kinds("failed missing", "degraded missing", "recovered")
		assert.Equal(t, b.r.Current().Generation(), uint64(1))
		assert.Equal(t, len(linesWith(b.rec.text(), "not adopted")), 1)
		assert.Equal(t, len(linesWith(b.rec.text(), "recovered")), 1)
	}, tlsx.WithPollInterval(12*time.Hour))
}

// A retry never judges content before it has settled.
func TestReloadRetryWaitsForTheWriter(t *testing.T) {
	inBubble(t, nil, func(b *bed) {
		b.write(issue{data: map[string][]byte{"tls.key": nil}}, "tls.key")
		b.event(fsnotify.Write, "tls.key")
		b.within(time.Second, b.degraded)
		next := newIssue(t, 1)
		b.pass(195 * time.Millisecond) // the second retry is due in 105 ms
		b.write(next, "tls.key")
		b.event(fsnotify.Write, "tls.key")
		b.pass(115 * time.Millisecond) // read once, and the retry is due
		b.event(fsnotify.Chmod, "tls.key")
		b.pass(40 * time.Millisecond)
		b.write(next, "tls.crt")
		b.write(next, "ca.crt")
		b.event(fsnotify.Write, "tls.crt")
		b.within(time.Second, b.generation(2))
		b.kinds("failed unreadable", "degraded unreadable", "reloaded 2", "recovered")
	})
}

// A different failure while degraded is reported too.
func TestReloadOtherFailure(t *testing.T) {
	inBubble(t, nil, func(b *bed) {
		for _, data := range []string{"", "-----BEGIN"} {
			b.write(issue{data: map[string][]byte{"ca.crt": []byte(data)}}, "ca.crt")
			b.event(fsnotify.Write, "ca.crt")
			b.pass(time.Second)
		}
		b.kinds("failed unreadable", "degraded unreadable", "failed malformed")
	})
}

// What changed before Run is noticed by it.
func TestReloadRunLooksFirst(t *testing.T) {
	dir := t.TempDir()
	newIssue(t, 0).write(t, dir)
	r := newReloader(t, filesIn(dir), newRecorder().options(tlsx.WithPollInterval(time.Hour))...)
	assert.Equal(t, r.Status().Running, false)
	assert.Equal(t, r.Status().WatchMode, tlsx.WatchMode(""))
	next := newIssue(t, 1)
	next.write(t, dir)
	stop := start(t, r)
	await(t, r, "the change before Run", next.served)
	assert.True(t, r.Status().Running)
	ctx, cancel := contextOf(t)
	defer cancel()
	assert.ErrorIs(t, r.Run(ctx), tlsx.ErrRunCalled)
	stop()
	assert.ErrorIs(t, r.Run(ctx), tlsx.ErrRunCalled)
	assert.True(t, !r.Status().Running)

	// Afterwards the last generation serves on, and Reload still works.
	assert.True(t, next.served(r.Current()))
	last := newIssue(t, 2)
	last.write(t, dir)
	result, err := r.Reload()
	assert.NoError(t, err)
	assert.Equal(t, result, tlsx.ReloadResult{Generation: 3, Changed: true, TrustChanged: true})
}
