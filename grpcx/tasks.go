package grpcx

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
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
		defer t.report(ctx, g.failed) // after a Goexit too
		t.call(ctx)
	}()
}

// report tells of a failure. It is none to end as one was told to.
func (t *task) report(ctx context.Context, failed chan<- error) {
	if t.err == nil || ctx.Err() != nil && errors.Is(t.err, context.Canceled) {
		t.err = nil
		return
	}
	t.err = fmt.Errorf("grpcx: task %s: %w", t.name, t.err)
	select {
	case failed <- t.err:
	default:
	}
}

// call runs the task and makes an error of a panic.
func (t *task) call(ctx context.Context) {
	defer func() {
		if v := recover(); v != nil {
			t.err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	t.err = errGoexit // unless it returns
	t.err = t.run(ctx)
}

var errGoexit = errors.New("it called runtime.Goexit")

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
