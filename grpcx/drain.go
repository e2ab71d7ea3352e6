package grpcx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"
)

// goAwayLimit bounds the wait for every connection to be sent its GOAWAY
// before the health streams on it end; a peer that reads nothing never is.
const goAwayLimit = 500 * time.Millisecond

// drain ends the serving in bounded steps; docs/lifecycle.md describes them.
func (r *run) drain(signals <-chan os.Signal, skipDelay bool) error {
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-signals:
			r.cutShort()
		case <-over:
		}
	}()

	r.setPhase(phaseDraining)
	close(r.draining)
	r.tasks.close()
	r.health.Drain()
	r.table.drainAll()
	if !skipDelay {
		r.pause(r.cfg.drain.Delay)
	}

	var report DrainError
	graceful := r.goAway()
	left := newBudget(r.cfg.drain.Stop, r.hurry)
	if !isClosed(graceful) {
		r.force(graceful, left, &report)
	}
	errs, stuck := r.tasks.stop(left)
	report.Tasks = stuck
	hookErrs, stuck := r.runHooks(left)
	report.Hooks = stuck
	errs = append(errs, hookErrs...)
	r.stopHealth()
	left.wait(r.healthDone)
	r.stopTLS()
	for _, done := range r.tlsDone {
		left.wait(done)
	}
	if r.probe != nil {
		r.probe.stop(left)
	}
	if r.admin != nil {
		r.admin.stop(left)
	}
	for _, done := range r.accepting {
		left.wait(done)
	}
	r.path.close()
	return r.result(&report, errs)
}

// pause waits, unless the drain is cut short.
func (r *run) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.hurry:
	}
}

// goAway asks all clients to go and waits for their calls to end, for
// Drain.Timeout. The channel it returns is closed when all has ended.
func (r *run) goAway() <-chan struct{} {
	limit := time.NewTimer(r.cfg.drain.Timeout)
	defer limit.Stop()
	sent := r.table.refuse()
	graceful := make(chan struct{})
	go func() {
		defer close(graceful)
		r.grpc.GracefulStop()
	}()

	// A health stream that ends before its connection is told to go away is
	// opened anew on it at once.
	early := time.NewTimer(goAwayLimit)
	defer early.Stop()
	select {
	case <-sent:
	case <-graceful:
	case <-early.C:
	case <-limit.C:
		limit.Reset(0)
	case <-r.hurry:
	}
	r.health.Close()

	select {
	case <-graceful:
	case <-limit.C:
	case <-r.hurry:
		// Idle connections need no more than a moment.
		limit.Reset(hurriedStep)
		select {
		case <-graceful:
		case <-limit.C:
		}
	}
	return graceful
}

// force closes what is still open. grpc-go's Stop may block behind a handler
// that never returns, so nothing here waits for it without a bound.
func (r *run) force(graceful <-chan struct{}, left *budget, report *DrainError) {
	report.Aborted = r.path.abandon()
	report.Connections = r.table.open()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.grpc.Stop()
	}()
	left.wait(stopped)
	// The graceful stop goes on to wait for the handlers.
	if !left.wait(graceful) {
		report.Stuck = r.path.running()
	}
}

// runHooks runs the stop hooks, the last one first.
func (r *run) runHooks(left *budget) (errs []error, stuck []string) {
	r.mu.Lock()
	hooks := r.hooks
	r.mu.Unlock()
	for _, h := range slices.Backward(hooks) {
		// A hook that honours its context has the rest of the step to return.
		ctx, cancel := context.WithTimeout(context.Background(), left.step()/10*9)
		var err error
		done := make(chan struct{})
		go func() {
			defer close(done)
			err = h.call(ctx)
		}()
		if !left.waitOr(done, cancel) {
			stuck = append(stuck, h.name)
		} else if err != nil {
			errs = append(errs, fmt.Errorf("grpcx: stop hook %s: %w", h.name, err))
		}
		cancel()
	}
	return errs, stuck
}

func (h stopHook) call(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return h.run(ctx)
}

// result joins what went wrong.
func (r *run) result(report *DrainError, errs []error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = phaseDone
	report.Hurried = isClosed(r.hurry)
	if !report.empty() {
		errs = append([]error{report}, errs...)
	}
	errs = append(errs, r.late...)
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
