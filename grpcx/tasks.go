package grpcx

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// taskGroup runs the background tasks of a server.
type taskGroup struct {
	mu     sync.Mutex
	ctx    context.Context // nil until start
	closed bool
	tasks  []*task
	failed chan error // the first failure
}

type task struct {
	name   string
	run    func(context.Context) error
	cancel context.CancelFunc
	done   chan struct{}
	err    error // set before done is closed
}

func (g *taskGroup) add(name string, run func(context.Context) error) error {
	if run == nil {
		return optionErrorf("Go", name, "the function is nil; pass one")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return optionErrorf("Go", name, "the server drains or has stopped; start tasks before that")
	}
	t := &task{name: name, run: run, done: make(chan struct{})}
	g.tasks = append(g.tasks, t)
	if g.ctx != nil {
		g.startLocked(t)
	}
	return nil
}

// start runs the tasks added so far. Their contexts do not end with ctx, only
// with stop; they carry its values.
func (g *taskGroup) start(ctx context.Context) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ctx = context.WithoutCancel(ctx)
	g.failed = make(chan error, 1)
	for _, t := range g.tasks {
		g.startLocked(t)
	}
}

func (g *taskGroup) startLocked(t *task) {
	ctx, cancel := context.WithCancel(g.ctx)
	t.cancel = cancel
	go func() {
		defer close(t.done)
		defer cancel()
		returned := false
		defer func() {
			if !returned {
				t.err = fmt.Errorf("panic or Goexit: %v\n%s", recover(), debug.Stack())
			}
			if t.err != nil && !(ctx.Err() != nil && errors.Is(t.err, context.Canceled)) {
				t.err = fmt.Errorf("grpcx: task %s: %w", t.name, t.err)
				select {
				case g.failed <- t.err:
				default:
				}
			} else {
				t.err = nil
			}
		}()
		t.err = t.run(ctx)
		returned = true
	}()
}

// close refuses further tasks.
func (g *taskGroup) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// stop ends the tasks, the last one first, and returns their errors and the
// names of those that did not end by the deadline.
func (g *taskGroup) stop(left *budget) (errs []error, stuck []string) {
	g.mu.Lock()
	g.closed = true
	tasks := g.tasks
	if g.ctx == nil {
		tasks = nil
	}
	g.mu.Unlock()
	for _, t := range slices.Backward(tasks) {
		t.cancel()
		if !left.wait(t.done) {
			stuck = append(stuck, t.name)
			continue
		}
		if t.err != nil {
			errs = append(errs, t.err)
		}
	}
	return errs, stuck
}

// budget is the time that Drain.Stop leaves. Each step may take half of what
// is left, so that one that hangs leaves something to those after it.
type budget struct {
	deadline time.Time
	hurry    <-chan struct{} // leaves next to nothing
	hurried  bool
}

const (
	// hurriedStep is what a step may take once the drain is cut short.
	hurriedStep = 50 * time.Millisecond
	// hurriedTotal is what all steps together may take then.
	hurriedTotal = 200 * time.Millisecond
)

func newBudget(d time.Duration, hurry <-chan struct{}) *budget {
	return &budget{deadline: time.Now().Add(d), hurry: hurry}
}

func (b *budget) step() time.Duration {
	if !b.hurried && isClosed(b.hurry) {
		b.hurried = true
		if d := time.Now().Add(hurriedTotal); d.Before(b.deadline) {
			b.deadline = d
		}
	}
	step := time.Until(b.deadline) / 2
	if b.hurried {
		step = min(step, hurriedStep)
	}
	return step
}

// wait waits for done, for one step at the most.
func (b *budget) wait(done <-chan struct{}) bool { return b.waitOr(done, func() {}) }

// waitOr is wait; it calls tell when the drain is cut short meanwhile.
func (b *budget) waitOr(done <-chan struct{}, tell func()) bool {
	if isClosed(done) {
		return true
	}
	timer := time.NewTimer(b.step())
	defer timer.Stop()
	hurry := b.hurry
	if b.hurried {
		hurry = nil
	}
	for {
		select {
		case <-done:
			return true
		case <-timer.C:
			return false
		case <-hurry:
			hurry = nil
			tell()
			timer.Reset(b.step())
		}
	}
}
