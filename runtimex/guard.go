package runtimex

import (
	"errors"
	"fmt"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	defaultThreshold = 0.25
	defaultFor       = 3 * time.Second
	// relief is the share of the threshold below which pressure is over.
	// Between the two nothing changes.
	relief = 0.8
	// quiet is how long no collection may end before the collector counts as
	// idle. Until one ends the runtime says nothing about what it used, and in
	// a large heap that takes seconds.
	quiet = 10 * time.Second
)

// GCGuard says when the collector uses too much CPU, see [WithGCGuard]. Close to
// the memory limit the collector runs all the time; the runtime's own limiter
// steps in at half of the CPU only, when throughput has long fallen
// (golang/go#58106).
type GCGuard struct {
	// Threshold is the share of the CPU time of all GOMAXPROCS threads, up to
	// 1. [GCPressure] is reported when the collector has used at least as much
	// for the time For, and [GCRelieved] when it has used less than 0.8 times
	// as much for as long. Marking on threads that had nothing else to do does
	// not count. Default 0.25, also for zero; a negative one switches the
	// reports off.
	Threshold float64
	// For is default 3 s, also for zero.
	For time.Duration
}

func (g GCGuard) check() error {
	var errs []error
	if !(g.Threshold <= 1) { // or NaN
		errs = append(errs, fmt.Errorf("the threshold %v is no share of the CPU; use a number up to 1, such as 0.25, or a negative one to switch the guard off", g.Threshold))
	}
	if g.For < 0 {
		errs = append(errs, fmt.Errorf("the time %v is negative; use a positive one, or 0 for %v", g.For, defaultFor))
	}
	return errors.Join(errs...)
}

// gcSample is what the runtime says about the collector. The CPU times only
// grow, and only when a collection ends.
type gcSample struct {
	gcCPU    float64 // seconds, without idle marking
	totalCPU float64 // seconds of all GOMAXPROCS threads, busy or not

	heapLive    int64
	memoryLimit int64
}

var gcMetrics = struct {
	sync.Mutex
	samples []metrics.Sample // kept, since a read would allocate them anew
}{samples: []metrics.Sample{
	{Name: "/cpu/classes/gc/total:cpu-seconds"},
	{Name: "/cpu/classes/gc/mark/idle:cpu-seconds"},
	{Name: "/cpu/classes/total:cpu-seconds"},
	{Name: "/gc/heap/live:bytes"},
	{Name: "/gc/gomemlimit:bytes"},
}}

func readGCSample() gcSample {
	gcMetrics.Lock()
	defer gcMetrics.Unlock()
	s := gcMetrics.samples
	metrics.Read(s)
	return gcSample{
		// As runtime.MemStats.GCCPUFraction: what nobody else wanted costs
		// nobody anything.
		gcCPU:       s[0].Value.Float64() - s[1].Value.Float64(),
		totalCPU:    s[2].Value.Float64(),
		heapLive:    signed(s[3]),
		memoryLimit: signed(s[4]),
	}
}

// guard notices that the collector uses too much CPU for too long. It cuts time
// into windows that end after a collection; one that takes longer than a window
// makes a longer window.
type guard struct {
	threshold float64 // negative: measure only
	hold      time.Duration
	window    time.Duration // the shortest

	start   gcSample // of the window
	startAt time.Time
	share   float64 // of the last window
	// turned is when the windows began that ask for the other state; zero when
	// the last one did not.
	turned time.Time
	// pressed is when pressure was reported; zero when there is none.
	pressed time.Time
}

func newGuard(g GCGuard) *guard {
	if g.Threshold == 0 {
		g.Threshold = defaultThreshold
	}
	if g.For == 0 {
		g.For = defaultFor
	}
	return &guard{threshold: g.Threshold, hold: g.For, window: min(g.For/4, time.Second)}
}

// fraction returns the share of the CPU that the collector used in the latest
// window, 0 to 1.
func (g *guard) fraction() float64 { return g.share }

// observe takes the sample s, read at now. It returns what it means: a
// GCPressure, a GCRelieved or, mostly, nil.
func (g *guard) observe(now time.Time, s gcSample) Event {
	if g.startAt.IsZero() {
		g.start, g.startAt = s, now
		return nil
	}
	elapsed, from := now.Sub(g.startAt), g.startAt
	total := s.totalCPU - g.start.totalCPU
	switch {
	case total > 0 && elapsed >= g.window:
		g.share = min(max((s.gcCPU-g.start.gcCPU)/total, 0), 1)
		g.start, g.startAt = s, now
	case total <= 0 && elapsed >= max(quiet, g.hold):
		g.share = 0
	default:
		return nil
	}
	if !g.turns() {
		g.turned = time.Time{}
		return nil
	}
	if g.turned.IsZero() {
		g.turned = from
	}
	// The clock of the polls jitters, and a poll later is too late.
	if now.Sub(g.turned) < g.hold-g.window/8 {
		return nil
	}
	g.turned = time.Time{}
	if g.pressed.IsZero() {
		g.pressed = now
		return GCPressure{Time: now, Fraction: g.share, HeapLive: s.heapLive, MemoryLimit: s.memoryLimit}
	}
	since := g.pressed
	g.pressed = time.Time{}
	return GCRelieved{Time: now, Fraction: g.share, Since: since}
}

// turns reports whether the last window asks for the state that is not.
func (g *guard) turns() bool {
	if g.pressed.IsZero() {
		return g.threshold >= 0 && g.share >= g.threshold
	}
	return g.share < relief*g.threshold
}
