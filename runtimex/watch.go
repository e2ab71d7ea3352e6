package runtimex

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// watcher wakes its owner when one of the limit files changes. All methods but C
// are for one goroutine. A poll has to stand behind it: the kernel reports what
// is written to a limit file, and mostly not that the control group is gone.
type watcher struct {
	fs    *fsnotify.Watcher
	armed map[string]bool
	wake  chan struct{} // capacity 1: any number of events are one
	ended chan struct{}
}

// newWatcher returns a watcher of no files. The error wraps
// [errors.ErrUnsupported] where there are no limit files.
func newWatcher() (*watcher, error) {
	if runtime.GOOS != "linux" {
		return nil, fmt.Errorf("runtimex: there are no limit files to watch on %s: %w", runtime.GOOS, errors.ErrUnsupported)
	}
	source, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, explainWatch(err)
	}
	w := &watcher{fs: source, armed: map[string]bool{}, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go w.pump()
	return w, nil
}

// C receives a value after one or more events. It is never closed.
func (w *watcher) C() <-chan struct{} { return w.wake }

// pump receives what the source sends, at once: it can hold its lock until an
// error is received, and set and close need that lock.
func (w *watcher) pump() {
	defer close(w.ended)
	for {
		// Both channels are closed together. An error, of which a lost event is
		// the likely one, means that something may have changed.
		select {
		case _, ok := <-w.fs.Events:
			if !ok {
				return
			}
		case _, ok := <-w.fs.Errors:
			if !ok {
				return
			}
		}
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// set watches files, absolute paths, and no others. One that does not exist, or
// no longer, is left out without an error. The error joins one for each that
// cannot be watched; the others are.
func (w *watcher) set(files []string) error {
	wanted := make(map[string]bool, len(files))
	for _, name := range files {
		wanted[name] = true
	}
	for name := range w.armed {
		if !wanted[name] {
			// It may have ended with its file, hence no error.
			_ = w.fs.Remove(name)
			delete(w.armed, name)
		}
	}
	var errs []error
	for name := range wanted {
		// Also those that are watched: there may be another file of that name
		// now. For the same file it changes nothing.
		switch err := w.fs.Add(name); {
		case err == nil:
			w.armed[name] = true
		case errors.Is(err, fs.ErrNotExist):
			_ = w.fs.Remove(name)
			delete(w.armed, name)
		default:
			errs = append(errs, &FileError{Path: name, Err: explainWatch(err)})
		}
	}
	return errors.Join(errs...)
}

// close ends the watcher's goroutines.
func (w *watcher) close() {
	_ = w.fs.Close()
	<-w.ended
}

// explainWatch adds the remedy where there is one.
func explainWatch(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fmt.Errorf("changes of limits cannot be watched: %w; raise fs.inotify.max_user_watches and fs.inotify.max_user_instances, or the limit of open files", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("changes of limits cannot be watched: %w; let the user that runs this process read the file", err)
	}
	return fmt.Errorf("changes of limits cannot be watched: %w", err)
}
