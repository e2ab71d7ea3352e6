package tlsx_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// Where events cannot be had, polls notice the change within their interval,
// and the status says so, until events can be had.
func TestWatchUnavailable(t *testing.T) {
	for _, errno := range []error{syscall.ENOSPC, syscall.EMFILE, syscall.EACCES, errors.New("no such system call")} {
		t.Run(errno.Error(), func(t *testing.T) {
			inBubble(t, func(s *fakeSource) { s.err = errno }, func(b *bed) {
				st := b.r.Status()
				assert.Equal(t, st.WatchMode, tlsx.WatchPoll)
				assert.Contains(t, st.WatchError, errno.Error())
				assert.Contains(t, b.rec.text(), "level=WARN", "watch_mode=poll")
				e, ok := b.rec.await(t, "mode poll", 1).(tlsx.WatchModeChanged)
				assert.True(t, ok)
				assert.ErrorIs(t, e.Err, errno)
				for n := uint64(2); n < 12; n++ {
					b.pass(time.Duration(n) * 777 * time.Millisecond)
					newIssue(t, int(n)).write(t, b.dir)
					took := b.within(10*time.Second, b.generation(n))
					assert.True(t, took <= 10*time.Second)
				}
				tries, _ := b.src.counts()
				assert.True(t, tries < 40, fmt.Sprint("tries are spaced: ", tries))

				b.src.fail(nil)
				b.within(10*time.Second, func() bool { return b.r.Status().WatchMode == tlsx.WatchEvents })
				assert.Equal(t, b.r.Status().WatchError, "")
				assert.True(t, b.src.last().watches(b.dir))
			})
		})
	}
}

// A limit reached at one directory is no different.
func TestWatchLimit(t *testing.T) {
	inBubble(t, func(s *fakeSource) {
		s.prep = func(w *fakeWatcher) { w.addErr = syscall.ENOSPC }
	}, func(b *bed) {
		assert.Equal(t, b.r.Status().WatchMode, tlsx.WatchPoll)
		assert.Contains(t, b.r.Status().WatchError, "fs.inotify.max_user_watches", b.dir)
		newIssue(t, 1).write(t, b.dir)
		b.within(10*time.Second, b.generation(2))
		b.src.last().failAdd(nil)
		b.within(10*time.Second, func() bool { return b.r.Status().WatchMode == tlsx.WatchEvents })
		_, opened := b.src.counts()
		assert.Equal(t, opened, 1, "the watcher was good all the time")
	})
}

// An event source that sends nothing, as on NFS.
func TestWatchSilent(t *testing.T) {
	inBubble(t, nil, func(b *bed) {
		for n := uint64(2); n < 12; n++ {
			b.pass(time.Duration(n) * 777 * time.Millisecond)
			newIssue(t, int(n)).write(t, b.dir)
			b.within(10*time.Second, b.generation(n))
		}
	})
}

// Lost events: everything is read again at once, and all watches are new.
func TestWatchLost(t *testing.T) {
	for name, lose := range map[string]func(*fakeWatcher){
		"overflow":      func(w *fakeWatcher) { w.errs <- fsnotify.ErrEventOverflow },
		"error":         func(w *fakeWatcher) { w.errs <- syscall.EBADF },
		"events closed": func(w *fakeWatcher) { close(w.events) },
		"errors closed": func(w *fakeWatcher) { close(w.errs) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(b *bed) {
				b.pass(20 * time.Second)
				for n := uint64(2); n < 5; n++ {
					newIssue(t, int(n)).write(t, b.dir)
					w := b.src.last()
					lose(w)
					took := b.within(time.Second, b.generation(n))
					assert.Equal(t, took, 100*time.Millisecond)
					assert.True(t, b.src.last() != w, "a new watcher")
					assert.Equal(t, w.closes(), 1)
					assert.True(t, b.src.last().watches(b.dir), "watched again")
					assert.Equal(t, b.r.Status().WatchMode, tlsx.WatchEvents)
					b.pass(20 * time.Second) // a poll finds it working
				}
				b.kinds("reloaded 2", "reloaded 3", "reloaded 4")
			})
		})
	}
}

// Lost again before the source has proven good: the files are read at once all
// the same. What was settling goes on to settle.
func TestWatchLostAgain(t *testing.T) {
	inBubble(t, nil, func(b *bed) {
		b.pass(20 * time.Second)
		lose := func() { b.src.last().errs <- fsnotify.ErrEventOverflow }
		lose()
		b.pass(time.Second)
		newIssue(t, 1).write(t, b.dir)
		lose()
		assert.Equal(t, b.within(time.Second, b.generation(2)), 100*time.Millisecond)

		b.pass(20 * time.Second)
		next := newIssue(t, 2)
		b.write(next, "tls.crt")
		b.event(fsnotify.Write, "tls.crt")
		b.pass(105 * time.Millisecond) // read once
		lose()
		b.pass(50 * time.Millisecond)
		next.write(t, b.dir)
		b.event(fsnotify.Write, "tls.key")
		b.within(time.Second, b.generation(3))
		assert.True(t, !b.has("failed mismatch"))
	})
}

// A source that fails again and again is asked ever less often.
func TestWatchKeepsFailing(t *testing.T) {
	inBubble(t, func(s *fakeSource) {
		s.prep = func(w *fakeWatcher) { close(w.events) }
	}, func(b *bed) {
		b.pass(time.Second)
		assert.Equal(t, b.r.Status().WatchMode, tlsx.WatchPoll)
		b.pass(time.Hour)
		tries, _ := b.src.counts()
		assert.True(t, tries < 1200, fmt.Sprint(tries, " attempts in an hour"))
		newIssue(t, 1).write(t, b.dir)
		b.within(10*time.Second, b.generation(2))
	})
}

// Every directory that leads to the files is watched, and only those.
func TestWatchFollows(t *testing.T) {
	inBubble(t, nil, func(b *bed) {
		w := b.src.last()
		above := filepath.Dir(b.dir)
		assert.True(t, w.watches(b.dir) && w.watches(above) && w.watches("/"))

		// The directory becomes a link; the one it leads to is watched.
		real1, real2 := mkdir(t, above, "one"), mkdir(t, above, "two")
		newIssue(t, 1).write(t, real1)
		newIssue(t, 2).write(t, real2)
		assert.NoError(t, os.RemoveAll(b.dir))
		b.event(fsnotify.Remove, "")
		symlink(t, "one", b.dir)
		b.event(fsnotify.Create, "")
		b.within(time.Second, b.generation(2))
		assert.True(t, w.watches(real1) && !w.watches(real2) && !w.watches(b.dir))
		flip(t, "two", b.dir)
		b.event(fsnotify.Create, "")
		b.within(time.Second, b.generation(3))
		assert.True(t, w.watches(real2) && !w.watches(real1), "the old directory is left alone")

		// Nothing is there: the directory in which it would appear is watched.
		assert.NoError(t, os.Remove(b.dir))
		b.event(fsnotify.Remove, "")
		b.within(time.Second, b.degraded)
		assert.True(t, w.watches(above) && !w.watches(real2))
		b.pass(time.Hour) // the retries are rare by now
		newIssue(t, 3).write(t, mkdir(t, b.dir))
		b.event(fsnotify.Create, "")
		took := b.within(time.Second, b.generation(4))
		assert.Equal(t, took, 200*time.Millisecond)
		assert.True(t, w.watches(b.dir))
	})
}

// A directory that was replaced by one of the same name is watched anew.
func TestWatchReplacedDirectory(t *testing.T) {
	inBubble(t, nil, func(b *bed) {
		w := b.src.last()
		next := mkdir(t, b.dir+".next")
		newIssue(t, 1).write(t, next)
		assert.NoError(t, os.RemoveAll(b.dir))
		assert.NoError(t, w.Remove(b.dir)) // as inotify does
		rename(t, next, b.dir)
		b.event(fsnotify.Create, "")
		b.within(time.Second, b.generation(2))
		assert.True(t, w.watches(b.dir))

		// Without an event: the old directory is left alone.
		next = mkdir(t, b.dir+".next")
		newIssue(t, 2).write(t, next)
		rename(t, b.dir, b.dir+".old")
		rename(t, next, b.dir)
		b.within(10*time.Second, b.generation(3))
		assert.True(t, w.watches(b.dir))

		// One that looks the same: a new directory may get the number of the old.
		assert.NoError(t, w.Remove(b.dir))
		b.event(fsnotify.Rename, "")
		b.pass(time.Second)
		assert.True(t, w.watches(b.dir))
	})
}

// Events about other files start nothing, and a noisy directory that is only
// passed is left to the polls.
func TestWatchNoise(t *testing.T) {
	inBubble(t, nil, func(b *bed) {
		above := filepath.Dir(b.dir)
		w := b.src.last()
		before := b.r.Status().LastAttempt
		for range 2000 {
			w.events <- fsnotify.Event{Name: filepath.Join(above, "app.log"), Op: fsnotify.Write}
		}
		b.pass(5 * time.Second)
		assert.Equal(t, b.r.Status().LastAttempt, before)
		assert.True(t, w.watches(above))
		b.pass(5 * time.Second)
		assert.True(t, !w.watches(above), "left to the polls")
		assert.True(t, w.watches(b.dir))
		assert.Equal(t, b.r.Status().WatchMode, tlsx.WatchEvents)

		// A directory with a file in it is never left.
		for range 2000 {
			w.events <- fsnotify.Event{Name: filepath.Join(b.dir, "app.log"), Op: fsnotify.Write}
		}
		b.pass(10 * time.Second)
		assert.True(t, w.watches(b.dir))
	})
}

// A file system that hangs holds up neither handshakes nor the status.
func TestWatchHangs(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	dir := t.TempDir()
	i := newIssue(t, 0)
	i.write(t, dir)
	src := &fakeSource{prep: func(w *fakeWatcher) { w.entered, w.release = entered, release }}
	r := newReloader(t, filesIn(dir), newRecorder().options(src.option())...)
	stop := start(t, r)
	<-entered
	assert.True(t, r.Status().Running)
	_, _, serverErr, clientErr := handshake(t, tlsx.ServerConfig(r), plainClient(i.ca, i.ca.Issue(t, certtest.Client).TLS()))
	assert.NoError(t, serverErr)
	assert.NoError(t, clientErr)
	close(release)
	stop()
}
