package runtimex

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// ErrApplied is what [Apply] wraps when another controller with other options
// is active.
var ErrApplied = errors.New("runtimex is active already, with other options")

// shared is the one engine of the process: there is one GOMAXPROCS.
var shared struct {
	mu     sync.Mutex
	engine *engine
	// handles counts the controllers of the engine that were not undone.
	handles int
}

// A Controller keeps GOMAXPROCS, GOMEMLIMIT and GOGC in step with the limits of
// this process. It is safe for concurrent use.
type Controller struct {
	engine *engine
	undo   sync.Once
	config *config // its logger and observers are told until Undo
}

// Apply tunes the Go runtime of this process to the limits of its control
// groups, and goes on doing so until [Controller.Undo]:
//
//   - GOMAXPROCS follows the tightest CPU quota of all visible groups, by
//     [WithPolicy]. Where the runtime arrives at the same number by itself it is
//     left alone.
//   - GOMEMLIMIT is the tightest of memory.max and memory.high of all visible
//     groups, less a headroom. Without a limit it stays as it was.
//   - GOGC stays, unless [WithMode] says otherwise.
//
// A setting that the environment or Without names is not touched, nor is a value
// raised that the program set before; see [OverrideEnv]. A change of a limit is
// applied within milliseconds where the kernel reports it, and within the poll
// interval elsewhere. Whatever cannot be read changes nothing and is reported.
// Outside Linux there are no control groups, and only options count.
//
// Apply is for package main, or for what owns the process: grpcx calls it in
// Run. While a controller is active, another Apply with the same options, or
// with none but WithLogger and WithObserver, shares it: the settings are put
// back by the last Undo. With other options Apply returns an error that wraps
// [ErrApplied], and changes nothing. Options that cannot be used are returned
// joined, each an [*OptionError].
//
// The first Apply publishes the variables grpcx.runtime and go_gomaxprocs in
// package expvar; they stay after Undo.
func Apply(opts ...Option) (*Controller, error) {
	return applyTo(liveHost(), opts)
}

func applyTo(h host, opts []Option) (*Controller, error) {
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	shared.mu.Lock()
	defer shared.mu.Unlock()
	c := &Controller{engine: shared.engine, config: cfg}
	if c.engine == nil {
		if c.engine, err = startEngine(h, cfg); err != nil {
			return nil, err
		}
		shared.engine = c.engine
	} else if err := c.engine.join(cfg); err != nil {
		return nil, err
	}
	shared.handles++
	publishVars(vars)
	return c, nil
}

// Undo ends the controller. When it is the last one, nothing is watched any
// longer and each setting is what it was before Apply: the runtime tracks CPU
// limits again where it did. A setting that the program changed meanwhile stays
// as it is. Undo may be called any number of times, from any goroutine but an
// observer's; every call returns when it is done.
func (c *Controller) Undo() {
	c.undo.Do(func() {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		c.engine.leave(c.config)
		if shared.handles--; shared.handles == 0 {
			shared.engine = nil
			c.engine.stop()
		}
	})
}

// Report returns [Current].
func (c *Controller) Report() Report { return Current() }

// Limits returns the limits as last read. After the last Undo they stay as they
// were.
func (c *Controller) Limits() Limits {
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	return c.engine.limits
}

// Pressure reads how the limits make themselves felt. The error joins a
// [*FileError] for each file that could not be read, and wraps
// [errors.ErrUnsupported] where there are no control groups and after the last
// Undo.
func (c *Controller) Pressure() (Pressure, error) { return c.engine.pressure() }

// GCFraction returns the share of the CPU time of GOMAXPROCS threads that the
// collector used lately, 0 to 1: what the guard compares with its threshold.
func (c *Controller) GCFraction() float64 {
	c.engine.mu.Lock()
	defer c.engine.mu.Unlock()
	return c.engine.guard.fraction()
}

// join adds the observers of cfg, unless it asks for something else.
func (e *engine) join(cfg *config) error {
	if len(cfg.tuning) > 0 && !slices.Equal(cfg.tuning, e.cfg.tuning) {
		active := "no options"
		if len(e.cfg.tuning) > 0 {
			active = strings.Join(e.cfg.tuning, ", ")
		}
		return fmt.Errorf("%w: it was applied with %s, and now %s is asked for; call Apply once, before anything that calls it without options",
			ErrApplied, active, strings.Join(cfg.tuning, ", "))
	}
	e.listeners.add(cfg)
	return nil
}

func (e *engine) leave(cfg *config) { e.listeners.remove(cfg) }
