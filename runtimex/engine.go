package runtimex

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// decisions are what was decided at the last look. They are never changed.
type decisions struct{ procs, memory, gc Snapshot }

// decided is what the active engine decided, for Current; nil without one.
var decided atomic.Pointer[decisions]

// engine reads the limits again and again and tunes the runtime to them.
type engine struct {
	cfg       *config
	host      host
	listeners listeners
	cancel    context.CancelFunc
	done      chan struct{} // nil: nothing runs

	mu       sync.Mutex // guards what follows
	reader   *reader    // nil: no control groups, or stopped
	limits   Limits
	procs    *procsKnob
	memory   *memoryKnob
	gc       *gcKnob
	guard    *guard
	last     *decisions
	accepted string     // the text of the error that came with the accepted limits
	problem  string     // the text of the error that was reported
	watch    limitWatch // nil: polls alone
	watched  []string
	watchErr error // why events may be missing

	provideErr error // what a provider failed with
}

// startEngine tunes once and starts to watch.
func startEngine(h host, cfg *config) (*engine, error) {
	e := &engine{cfg: cfg, host: h, guard: newGuard(cfg.guard)}
	e.listeners.add(cfg)
	provided, err := provide(cfg.providers)
	e.provideErr = err
	if h.fs != nil {
		e.reader = newReader(h.fs, h.cpus)
	}
	limits, readErr := e.read()
	if readErr != nil {
		e.accepted = readErr.Error()
	}
	e.procs = newProcsKnob(cfg, h.runtime, h.env, h.native, provided, limits)
	e.memory = newMemoryKnob(cfg, h.runtime, h.env, provided)
	e.gc = newGCKnob(cfg, h.runtime, h.env)
	before := decisions{
		procs:  Snapshot{Value: int64(h.runtime.procs())},
		memory: Snapshot{Value: h.runtime.memLimit()},
		gc:     Snapshot{Value: h.runtime.gcPercent()},
	}
	if _, _, _, err := e.memory.want(limits); err != nil && !cfg.off[GOMEMLIMIT] && !e.memory.fixed {
		e.closeReader()
		return nil, err
	}
	e.last = &before
	events := e.tune(limits, readErr, time.Now())
	for _, event := range events {
		e.listeners.tell(event)
	}
	e.startLoop()
	return e, nil
}

// read returns the limits, which are none where there are no control groups.
func (e *engine) read() (Limits, error) {
	if e.reader == nil {
		return Limits{CPUs: e.host.cpus(), Memory: NoLimit, PageSize: os.Getpagesize()}, nil
	}
	l, err := e.reader.read()
	if errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return l, err
}

// look reads the limits and acts on what changed.
func (e *engine) look(now time.Time) {
	e.mu.Lock()
	limits, err := e.read()
	if err != nil && err.Error() != e.accepted {
		// What can no longer be read may have been a limit.
		limits = tighter(limits, e.limits)
	} else if err == nil {
		e.accepted = ""
	}
	events := e.tune(limits, err, now)
	if e.cfg.poll > 0 {
		if event := e.guard.observe(now, e.host.runtime.sampleGC()); event != nil {
			events = append(events, event)
		}
	}
	e.rewatch()
	e.mu.Unlock()
	for _, event := range events {
		e.listeners.tell(event)
	}
}

// tune makes the runtime what limits ask for and returns what happened.
func (e *engine) tune(limits Limits, err error, now time.Time) []Event {
	e.limits = limits
	next := decisions{procs: e.procs.tune(limits, err)}
	var memErr error
	next.memory, memErr = e.memory.tune(limits, err)
	next.gc = e.gc.tune(next.memory.Value)
	var events []Event
	for _, knob := range []struct {
		name     Knob
		was, now *Snapshot
	}{
		{GOMAXPROCS, &e.last.procs, &next.procs},
		{GOMEMLIMIT, &e.last.memory, &next.memory},
		{GOGC, &e.last.gc, &next.gc},
	} {
		if knob.was.Value != knob.now.Value {
			events = append(events, Tuned{now, knob.name, knob.was.Value, *knob.now})
		}
	}
	e.last = &next
	decided.Store(&next)
	return append(events, e.note(errors.Join(err, memErr, e.provideErr), now)...)
}

// note reports a problem once, and that it is over.
func (e *engine) note(err error, now time.Time) []Event {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == e.problem {
		return nil
	}
	e.problem = text
	if err == nil {
		return []Event{Recovered{now}}
	}
	return []Event{Degraded{now, err}}
}

var errNoControlGroups = fmt.Errorf("runtimex: there are no control groups to read: %w", errors.ErrUnsupported)

func (e *engine) pressure() (Pressure, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.reader == nil {
		return Pressure{}, errNoControlGroups
	}
	return e.reader.pressure()
}
