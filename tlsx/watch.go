package tlsx

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// maxNoise is how many events that concern nothing of ours a directory may send
// between two polls. One that is only passed on the way and sends more, because
// a log is written there, is left to the polls.
const maxNoise = 1000

// A watcher is what is used of [fsnotify.Watcher].
type watcher interface {
	Add(dir string) error
	Remove(dir string) error
	Close() error
}

// eventSource is a watcher and its channels.
type eventSource struct {
	watcher

	events <-chan fsnotify.Event
	errs   <-chan error
}

func openFsnotify() (eventSource, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return eventSource{}, err
	}
	return eventSource{watcher: w, events: w.Events, errs: w.Errors}, nil
}

var errEventsEnded = errors.New("the source of file events ended")

// A watch turns the events of the directories of a trail into wake-ups. It must
// be closed.
type watch struct {
	source eventSource
	wake   chan<- struct{} // capacity 1: any number of events are one
	done   chan struct{}
	pumped chan struct{}

	// Of the caller of arm and close, who calls them one at a time. They run
	// without mu: fsnotify may hold its own lock while it waits for the pump.
	dirs  map[string]os.FileInfo
	noisy map[string]bool

	mu    sync.Mutex
	trail *trail
	stale map[string]bool // directories that were moved, removed or made anew
	noise map[string]int
	err   error
}

func newWatch(source eventSource, wake chan<- struct{}) *watch {
	w := &watch{
		source: source, wake: wake, done: make(chan struct{}), pumped: make(chan struct{}),
		dirs: map[string]os.FileInfo{}, noisy: map[string]bool{},
		trail: new(trail), stale: map[string]bool{}, noise: map[string]int{},
	}
	go w.pump()
	return w
}

// close ends the source and the pump.
func (w *watch) close() {
	// The pump goes on meanwhile: the source may need it to end.
	_ = w.source.Close()
	close(w.done)
	<-w.pumped
}

// pump receives all that the source sends, at once and without calling it: a
// source whose events nobody receives blocks its other methods.
func (w *watch) pump() {
	defer close(w.pumped)
	for {
		select {
		case <-w.done:
			return
		case event, ok := <-w.source.events:
			if !ok {
				w.fail(errEventsEnded)
				return
			}
			w.note(event)
		case err, ok := <-w.source.errs:
			if !ok {
				w.fail(errEventsEnded)
				return
			}
			w.fail(err)
		}
	}
}

func (w *watch) note(event fsnotify.Event) {
	name := filepath.Clean(event.Name)
	dir := filepath.Dir(name)
	w.mu.Lock()
	_, self := w.trail.dirs[name]
	if self && event.Has(fsnotify.Create|fsnotify.Remove|fsnotify.Rename) {
		w.stale[name] = true
	}
	// Every step counts, not just the last: an update of a Kubernetes volume
	// never names the file. The base alone is compared, since one directory may
	// have several paths and fsnotify knows it by one.
	relevant := self || w.trail.all[dir] || w.trail.names[filepath.Base(name)]
	if !relevant {
		w.noise[dir]++
	}
	w.mu.Unlock()
	if relevant {
		w.signal()
	}
}

func (w *watch) fail(err error) {
	w.mu.Lock()
	if w.err == nil {
		w.err = err
	}
	w.mu.Unlock()
	w.signal()
}

func (w *watch) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// lost returns the error after which events may be missing, such as
// [fsnotify.ErrEventOverflow]. The watch must then be replaced.
func (w *watch) lost() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// quieten leaves directories that are only passed and too noisy to the polls.
func (w *watch) quieten() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for dir, n := range w.noise {
		if n > maxNoise && !w.trail.dirs[dir] {
			w.noisy[dir] = true
		}
	}
	clear(w.noise)
}

// arm watches the directories of t and no others. The error says why one in
// which files can change is not watched.
func (w *watch) arm(t *trail) error {
	w.mu.Lock()
	w.trail = t
	stale := w.stale
	w.stale = map[string]bool{}
	w.mu.Unlock()

	for dir := range w.dirs {
		if needed, passed := t.dirs[dir]; !passed || stale[dir] || w.noisy[dir] && !needed {
			w.forget(dir)
		}
	}
	var failed error
	for dir, needed := range t.dirs {
		if !needed {
			continue
		}
		if err := w.add(dir); err != nil && failed == nil {
			failed = err
		}
	}
	// On kqueue a watch opens every file of the directory, so that only what is
	// needed is watched elsewhere than on inotify. What is needed comes first,
	// since the number of watches is limited.
	for dir, needed := range t.dirs {
		if !needed && !w.noisy[dir] && runtime.GOOS == "linux" {
			_ = w.add(dir)
		}
	}
	return failed
}

// add watches the directory that dir now is.
func (w *watch) add(dir string) error {
	for range 3 {
		info, err := os.Lstat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			// It went since it was passed, which the next look notices.
			w.forget(dir)
			return nil
		}
		if err != nil {
			return err
		}
		old := w.dirs[dir]
		if old != nil && os.SameFile(old, info) {
			return nil
		}
		w.forget(dir)
		if err := w.source.Add(dir); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return &fs.PathError{Op: "watch", Path: dir, Err: err}
		}
		w.dirs[dir] = info
		// Was it replaced just before? Then another directory is watched than
		// the one that is remembered.
		if after, err := os.Lstat(dir); err == nil && os.SameFile(info, after) {
			return nil
		}
	}
	w.forget(dir)
	return &fs.PathError{Op: "watch", Path: dir, Err: errors.New("the directory keeps being replaced")}
}

// forget ends a watch. It may have ended with its directory, hence no error.
func (w *watch) forget(dir string) {
	if _, ok := w.dirs[dir]; ok {
		_ = w.source.Remove(dir)
		delete(w.dirs, dir)
	}
}
