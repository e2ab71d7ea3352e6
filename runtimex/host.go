package runtimex

import (
	"io/fs"
	"os"
	"runtime"
)

// host is what an engine works on.
type host struct {
	fs      fs.FS      // nil: no control groups
	root    string     // where fs is, for the watcher
	cpus    func() int // of the affinity mask; 0: unknown
	runtime goruntime
	env     environment
	native  native
	watch   func() (limitWatch, error)
}

// limitWatch reports writes to files.
type limitWatch interface {
	// C receives after one or more of them.
	C() <-chan struct{}
	// set names the files, absolute, in place of those before.
	set(files []string) error
	close()
}

func liveHost() host {
	h := host{
		root: "/", cpus: affinity, runtime: liveRuntime{}, env: startEnv,
		native: nativeOf(startEnv.godebug, buildGODEBUG()), watch: openWatch,
	}
	if runtime.GOOS == "linux" {
		h.fs = os.DirFS("/")
	}
	return h
}

func openWatch() (limitWatch, error) {
	w, err := newWatcher()
	if err != nil {
		return nil, err
	}
	return w, nil
}
