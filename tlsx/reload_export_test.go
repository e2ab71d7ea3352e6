package tlsx

import "github.com/fsnotify/fsnotify"

// WithWatcher watches with another source of events than the system's.
func WithWatcher(open func() (w interface {
	Add(dir string) error
	Remove(dir string) error
	Close() error
}, events <-chan fsnotify.Event, errs <-chan error, err error)) ReloaderOption {
	return reloaderOption{"WithWatcher", func(r *Reloader) {
		r.open = func() (eventSource, error) {
			w, events, errs, err := open()
			return eventSource{watcher: w, events: events, errs: errs}, err
		}
	}}
}

// Follow returns the directories that lead to a path, those that matter, and
// where it ends.
func Follow(path string) (passed, needed []string, end string, isDir bool) {
	t := follow(nil, nil)
	t.stats = map[string]stat{}
	end, isDir = t.walk(path)
	for dir, matters := range t.dirs {
		passed = append(passed, dir)
		if matters {
			needed = append(needed, dir)
		}
	}
	return passed, needed, end, isDir
}
