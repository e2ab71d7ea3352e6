package runtimex

import (
	"errors"
	"io/fs"
	"sync"
	"time"
)

// FakeRuntime is a Go runtime that is only described. Like the real one, it
// follows Native until SetProcs.
type FakeRuntime struct {
	mu sync.Mutex

	Native        int // the default of GOMAXPROCS
	Procs         int
	Custom        bool // SetProcs was called last, and not SetDefaultProcs
	MemLimit      int64
	GCPercent     int64
	InUse         int64
	Calls         []string
	GCFraction    float64 // of the CPU, since the last sample
	gcCPU, allCPU float64
}

// NewFakeRuntime returns one of n CPUs with the settings of an empty environment.
func NewFakeRuntime(n int) *FakeRuntime {
	return &FakeRuntime{Native: n, Procs: n, MemLimit: NoLimit, GCPercent: 100}
}

// Do changes or reads the fake.
func (f *FakeRuntime) Do(change func(*FakeRuntime)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *FakeRuntime) procs() int { f.mu.Lock(); defer f.mu.Unlock(); return f.Procs }

func (f *FakeRuntime) setProcs(n int) {
	f.Do(func(f *FakeRuntime) { f.Procs, f.Custom = n, true; f.Calls = append(f.Calls, "GOMAXPROCS") })
}

func (f *FakeRuntime) setDefaultProcs() {
	f.Do(func(f *FakeRuntime) {
		f.Procs, f.Custom = f.Native, false
		f.Calls = append(f.Calls, "SetDefaultGOMAXPROCS")
	})
}

func (f *FakeRuntime) memLimit() int64 { f.mu.Lock(); defer f.mu.Unlock(); return f.MemLimit }

func (f *FakeRuntime) setMemLimit(n int64) {
	f.Do(func(f *FakeRuntime) { f.MemLimit = n; f.Calls = append(f.Calls, "SetMemoryLimit") })
}

func (f *FakeRuntime) gcPercent() int64 { f.mu.Lock(); defer f.mu.Unlock(); return f.GCPercent }

func (f *FakeRuntime) setGCPercent(n int64) {
	f.Do(func(f *FakeRuntime) { f.GCPercent = n; f.Calls = append(f.Calls, "SetGCPercent") })
}

func (f *FakeRuntime) inUse() int64 { f.mu.Lock(); defer f.mu.Unlock(); return f.InUse }

func (f *FakeRuntime) freeOSMemory() {
	f.Do(func(f *FakeRuntime) { f.Calls = append(f.Calls, "FreeOSMemory") })
}

// sampleGC takes a second of one CPU to have passed since the last one.
func (f *FakeRuntime) sampleGC() gcSample {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gcCPU += f.GCFraction
	f.allCPU++
	return gcSample{gcCPU: f.gcCPU, totalCPU: f.allCPU, heapLive: f.InUse, memoryLimit: f.MemLimit}
}

// FakeWatch is a watcher of limit files that is told of writes.
type FakeWatch struct {
	Events chan struct{}
	mu     sync.Mutex
	files  []string
	closed bool
}

// NewFakeWatch returns one.
func NewFakeWatch() *FakeWatch { return &FakeWatch{Events: make(chan struct{}, 1)} }

// Files returns what is watched and whether the watcher is closed.
func (w *FakeWatch) Files() (files []string, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.files, w.closed
}

// C implements limitWatch.
func (w *FakeWatch) C() <-chan struct{} { return w.Events }

func (w *FakeWatch) set(files []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files = files
	return nil
}

func (w *FakeWatch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

// FakeHost is where a controller of a test runs.
type FakeHost struct {
	FS      fs.FS
	CPUs    int
	Runtime *FakeRuntime
	// GOMAXPROCS, GOMEMLIMIT, GOGC and GODEBUG are the environment, and
	// BuildGODEBUG the defaults of the main module.
	GOMAXPROCS, GOMEMLIMIT, GOGC, GODEBUG, BuildGODEBUG string
	// ProcsAtStart is what the runtime began with; 0: its default.
	ProcsAtStart int
	Watch        *FakeWatch // nil: there are no events
}

// Apply is Apply on that host.
func (h FakeHost) Apply(opts ...Option) (*Controller, error) {
	if h.ProcsAtStart == 0 {
		h.ProcsAtStart = h.Runtime.Native
	}
	return applyTo(host{
		fs: h.FS, root: "/", cpus: func() int { return h.CPUs }, runtime: h.Runtime,
		env:    environment{maxProcs: h.GOMAXPROCS, memLimit: h.GOMEMLIMIT, gcPercent: h.GOGC, godebug: h.GODEBUG, procsAtStart: h.ProcsAtStart},
		native: nativeOf(h.GODEBUG, h.BuildGODEBUG),
		watch: func() (limitWatch, error) {
			if h.Watch == nil {
				return nil, errors.New("no events here")
			}
			return h.Watch, nil
		},
	}, opts)
}

// Decided returns what the active controller decided.
func Decided() (procs, memory, gc Snapshot) {
	if d := decided.Load(); d != nil {
		return d.procs, d.memory, d.gc
	}
	return
}

// Tick makes the active controller look at the limits now.
func Tick() { shared.engine.look(time.Now()) }
