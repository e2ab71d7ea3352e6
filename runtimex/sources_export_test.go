package runtimex

import (
	"maps"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// What follows lets the tests of one piece reach it without a controller.

// GCSample is what a Guard sees, CPU times in seconds.
type GCSample struct{ GC, Total float64 }

// Guard is the guard of the collector.
type Guard struct{ g *guard }

func NewGuard(g GCGuard) Guard { return Guard{newGuard(g)} }

func (g Guard) Observe(now time.Time, s GCSample) Event {
	return g.g.observe(now, gcSample{gcCPU: s.GC, totalCPU: s.Total, heapLive: 1 << 20, memoryLimit: 2 << 20})
}

func (g Guard) Fraction() float64 { return g.g.fraction() }

// Check is what WithGCGuard checks.
func (g GCGuard) Check() error { return g.check() }

// ReadGCSample reads a sample of this process.
func ReadGCSample() (s GCSample, heapLive, memoryLimit int64) {
	r := readGCSample()
	return GCSample{r.gcCPU, r.totalCPU}, r.heapLive, r.memoryLimit
}

// Watcher is the watcher of limit files.
type Watcher struct{ w *watcher }

func NewWatcher() (Watcher, error) {
	w, err := newWatcher()
	return Watcher{w}, err
}

func (w Watcher) C() <-chan struct{}        { return w.w.C() }
func (w Watcher) Set(files ...string) error { return w.w.set(files) }
func (w Watcher) Close()                    { w.w.close() }
func (w Watcher) Source() *fsnotify.Watcher { return w.w.fs }

var (
	ExplainWatch      = explainWatch
	ECSLimits         = ecsLimits
	AskECS            = askECS // however long it takes
	ParseECSTask      = parseECSTask
	ParseECSContainer = parseECSContainer
	Publish           = publish
)

// CPUFeatureNames are the features that Machine looks for.
func CPUFeatureNames() []string { return slices.Sorted(maps.Keys(cpuFeatures)) }
