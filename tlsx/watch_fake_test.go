package tlsx_test

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
)

// fakeWatcher is a source of events that tests send.
type fakeWatcher struct {
	events chan fsnotify.Event
	errs   chan error
	// Add sends to entered once and then waits until release is closed.
	entered, release chan struct{}

	mu     sync.Mutex
	dirs   map[string]bool
	addErr error
	closed int
	twice  int
}

func (w *fakeWatcher) Add(dir string) error {
	if w.release != nil {
		select {
		case w.entered <- struct{}{}:
		default:
		}
		<-w.release
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.addErr != nil {
		return w.addErr
	}
	if w.dirs[dir] {
		w.twice++ // inotify would keep the watch on the directory of before
	}
	w.dirs[dir] = true
	return nil
}

func (w *fakeWatcher) Remove(dir string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.dirs[dir] {
		return fsnotify.ErrNonExistentWatch
	}
	delete(w.dirs, dir)
	return nil
}

func (w *fakeWatcher) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed++
	return nil
}

func (w *fakeWatcher) failAdd(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addErr = err
}

func (w *fakeWatcher) watches(dir string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dirs[dir]
}

func (w *fakeWatcher) closes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

// fakeSource opens fake watchers, or fails.
type fakeSource struct {
	mu     sync.Mutex
	err    error
	opened []*fakeWatcher
	tries  int
	prep   func(*fakeWatcher)
}

func (s *fakeSource) option() tlsx.ReloaderOption {
	type w = interface {
		Add(dir string) error
		Remove(dir string) error
		Close() error
	}
	return tlsx.WithWatcher(func() (w, <-chan fsnotify.Event, <-chan error, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.tries++
		if s.err != nil {
			return nil, nil, nil, s.err
		}
		f := &fakeWatcher{events: make(chan fsnotify.Event), errs: make(chan error), dirs: map[string]bool{}}
		if s.prep != nil {
			s.prep(f)
		}
		s.opened = append(s.opened, f)
		return f, f.events, f.errs, nil
	})
}

func (s *fakeSource) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *fakeSource) last() *fakeWatcher {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened[len(s.opened)-1]
}

func (s *fakeSource) counts() (tries, opened int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries, len(s.opened)
}

// bed is a running reloader in a bubble, with fake events.
type bed struct {
	t   *testing.T
	dir string
	src *fakeSource
	rec *recorder
	r   *tlsx.Reloader
}

// inBubble runs f with a reloader whose files have been looked at.
func inBubble(t *testing.T, prepare func(*fakeSource), f func(*bed), opts ...tlsx.ReloaderOption) {
	synctest.Test(t, func(t *testing.T) {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		assert.NoError(t, err)
		b := &bed{t: t, dir: mkdir(t, dir, "live"), src: &fakeSource{}, rec: newRecorder()}
		if prepare != nil {
			prepare(b.src)
		}
		newIssue(t, 0).write(t, b.dir)
		b.r = newReloader(t, filesIn(b.dir), b.rec.options(append([]tlsx.ReloaderOption{b.src.option()}, opts...)...)...)
		stop := start(t, b.r)
		synctest.Wait()
		f(b)
		stop()
		for _, w := range b.src.opened {
			assert.Equal(t, w.closes(), 1, "every watcher is closed once")
			assert.Equal(t, w.twice, 0, "no watch is lost from sight")
		}
	})
}

// event sends an event about an entry of the directory.
func (b *bed) event(op fsnotify.Op, name string) {
	b.src.last().events <- fsnotify.Event{Name: filepath.Join(b.dir, name), Op: op}
	synctest.Wait()
}

// pass lets time pass.
func (b *bed) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// within passes until cond holds and returns how long that took, at a
// resolution of a millisecond.
func (b *bed) within(limit time.Duration, cond func() bool) time.Duration {
	b.t.Helper()
	began := time.Now()
	for !cond() {
		if time.Since(began) > limit {
			b.t.Fatalf("not within %v; status %+v, events %q", limit, b.r.Status(), b.rec.kinds())
		}
		b.pass(time.Millisecond)
	}
	return time.Since(began)
}

func (b *bed) generation(n uint64) func() bool {
	return func() bool { return b.r.Current().Generation() == n }
}

func (b *bed) degraded() bool { return b.r.Status().Degraded }

// write writes one file of an issue.
func (b *bed) write(i issue, name string) {
	b.t.Helper()
	assert.NoError(b.t, os.WriteFile(filepath.Join(b.dir, name), i.data[name], 0o600))
}

func (b *bed) kinds(want ...string) {
	b.t.Helper()
	got := b.rec.kinds()
	// The stapler runs beside the watcher, and either may be the first to speak.
	mode := slices.Index(got, "mode events+poll")
	assert.True(b.t, mode >= 0, "no mode was reported")
	assert.Equal(b.t, slices.Delete(got, mode, mode+1), want)
}

func (b *bed) has(kind string) bool { return slices.Contains(b.rec.kinds(), kind) }
