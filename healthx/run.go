package healthx

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
)

// stopGrace is how long Run waits, once its context has ended, for checks in
// flight to notice.
const stopGrace = time.Second

// Run runs the checks until ctx ends, and from its start entries may serve.
// It returns nil when ctx has ended: everything but [Liveness] is NOT_SERVING
// then, as after [Registry.Drain], since nothing is being checked any more.
// So give it a context that outlives the drain. A second call returns
// [ErrRunCalled] at once.
//
// When Run returns it leaves no goroutine behind, except for a check that
// ignores its context and an observer that does not return. Run waits 1 s for
// the checks together, reports those left with [CheckAbandoned], and then up
// to 1 s for observers.
func (r *Registry) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !r.begin(ctx) {
		return ErrRunCalled
	}
	<-ctx.Done()
	r.end()
	r.loops.Wait()
	r.reap()
	return nil
}

func (r *Registry) begin(ctx context.Context) bool {
	r.mu.Lock()
	defer r.unlock()
	if r.runCtx != nil {
		return false
	}
	r.runCtx = ctx
	if ctx.Err() != nil { // do not flash SERVING
		r.stopped, r.draining = true, true
		r.update(time.Now())
		return true
	}
	for _, c := range r.checks {
		r.start(c)
	}
	r.update(time.Now())
	r.warnUnknown()
	return true
}

func (r *Registry) end() {
	r.mu.Lock()
	defer r.unlock()
	r.stopped = true // from here on AddCheck starts nothing
	r.drain()
}

// warnUnknown logs names in Services options that have no entry: they may be
// added later, but a misspelt one would leave a service without its check.
func (r *Registry) warnUnknown() {
	unknown := make(map[string]bool)
	for _, c := range r.checks {
		for _, name := range c.config.services {
			if r.entries[name] == nil {
				unknown[name] = true
			}
		}
	}
	if len(unknown) > 0 {
		r.notify(notice{level: slog.LevelWarn,
			msg:   "health checks name services that are not registered; check the spelling or call AddService",
			attrs: []slog.Attr{slog.String("services", strings.Join(slices.Sorted(maps.Keys(unknown)), ", "))}})
	}
}

// start begins the loop of a check. The caller holds r.mu.
func (r *Registry) start(c *check) {
	ctx := r.runCtx
	r.loops.Go(func() { r.loop(ctx, c) })
}

func (r *Registry) loop(ctx context.Context, c *check) {
	timer := time.NewTimer(c.config.initialDelay)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if ctx.Err() != nil {
			return
		}
		next, ok := r.once(ctx, c)
		if !ok {
			return
		}
		timer.Reset(time.Until(next))
	}
}

// once executes c and records the result. It returns when c is due again, or
// false if ctx ended first: a result that the end of Run brought about says
// nothing about the dependency.
func (r *Registry) once(ctx context.Context, c *check) (next time.Time, ok bool) {
	r.mu.Lock()
	x := execute(ctx, c)
	c.current = x
	r.mu.Unlock()

	select {
	case <-x.done:
	case <-x.ctx.Done():
	}
	select {
	case <-x.done:
		if ctx.Err() != nil {
			return next, false
		}
		r.mu.Lock()
		c.current = nil
		r.record(c, x.res, time.Now())
		r.unlock()
		return x.started.Add(c.pause()), true
	default:
	}

	if ctx.Err() != nil {
		return next, false
	}
	timedOut := &TimeoutError{Timeout: c.config.timeout}
	now := time.Now()
	r.mu.Lock()
	c.overdue = true
	r.record(c, result{err: timedOut, text: timedOut.Error(), duration: now.Sub(x.started)}, now)
	r.unlock()

	// The timeout is counted; what the check still says is of no interest.
	// Wait for it all the same: it is not to run twice at a time.
	select {
	case <-x.done:
	case <-ctx.Done():
		return next, false
	}
	r.mu.Lock()
	c.current, c.overdue = nil, false
	r.mu.Unlock()
	// A check that obeys its context returns at once and keeps its rhythm;
	// one that does not gets a whole pause after its late return.
	if next = x.started.Add(c.pause()); next.Before(time.Now()) {
		next = time.Now().Add(c.pause())
	}
	return next, true
}

// reap gives the checks in flight a moment to return, reports the others, and
// has the last events delivered.
func (r *Registry) reap() {
	r.mu.Lock()
	checks := slices.Clone(r.checks)
	r.mu.Unlock()

	grace, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	for _, c := range checks {
		r.mu.Lock()
		x, overdue := c.current, c.overdue
		r.mu.Unlock()
		if x == nil {
			continue
		}
		if !overdue { // one that outlived its timeout has had its moment
			select {
			case <-x.done:
			case <-grace.Done():
			}
		}
		r.leave(c, x)
	}
	r.flush()
}

// leave ends the bookkeeping of a check's last execution.
func (r *Registry) leave(c *check, x *execution) {
	r.mu.Lock()
	defer r.unlock()
	select {
	case <-x.done:
		c.current, c.overdue = nil, false
		return
	default:
	}
	now := time.Now()
	r.notify(notice{
		event: CheckAbandoned{Time: now, Check: c.name, Since: x.started},
		level: slog.LevelWarn,
		msg:   "health check ignores its context and was left running",
		attrs: []slog.Attr{slog.String("check", c.name), slog.Duration("running", now.Sub(x.started))},
	})
}
