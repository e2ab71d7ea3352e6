package healthx

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// Event is what an observer receives: [StatusChanged], [CheckDone] or
// [CheckAbandoned], by value. More kinds may be added; ignore those you do
// not know.
type Event interface{ event() }

// StatusChanged reports that an entry began or ceased to serve.
type StatusChanged struct {
	Time time.Time
	// Service is the name of the entry; readiness is reported once, as
	// [Readiness].
	Service string
	From    Status
	To      Status
	// Reason says why the entry does not serve; empty when it does.
	Reason string
}

// CheckDone reports one result of a check.
type CheckDone struct {
	Time time.Time
	// Check is the name of the check.
	Check string
	// Err is the failure as the check returned it, a [*TimeoutError], a
	// [*PanicError] or [ErrGoexit]; nil for a success.
	Err error
	// Duration is how long the check took, at most its timeout.
	Duration time.Duration
	// From and To are the states before and after the result.
	From, To CheckState
	// Informational is set for a check that affects no status.
	Informational bool
}

// CheckAbandoned reports a check that was still running when
// [Registry.Run] returned, because it ignored its context. Its goroutine ends
// when the check returns.
type CheckAbandoned struct {
	Time time.Time
	// Check is the name of the check.
	Check string
	// Since is when that execution of the check started.
	Since time.Time
}

func (StatusChanged) event()  {}
func (CheckDone) event()      {}
func (CheckAbandoned) event() {}

// maxQueue is how many notices may wait for a slow observer or log handler.
// Larger registries get room for several changes of all their entries.
const maxQueue = 1024

// notice is an event, a log line, or both.
type notice struct {
	event Event
	level slog.Level
	msg   string // empty: no log line
	attrs []slog.Attr
}

// notify queues n; the caller holds r.mu, so that the queue has the order of
// the changes, and calls r.unlock afterwards.
func (r *Registry) notify(n notice) {
	if len(r.queue) >= max(maxQueue, 4*len(r.entries)) {
		r.queue = r.queue[1:]
		r.dropped++
	}
	r.queue = append(r.queue, n)
}

// unlock releases r.mu. If notices are waiting and no goroutine delivers them
// it starts one, which ends when the queue is empty. So a log handler stuck on
// a full pipe holds up neither the drain nor a check.
func (r *Registry) unlock() {
	if len(r.queue) > 0 && r.delivered == nil {
		r.delivered = make(chan struct{})
		go r.deliver()
	}
	r.mu.Unlock()
}

func (r *Registry) deliver() {
	r.mu.Lock()
	defer func() {
		close(r.delivered)
		r.delivered = nil
		r.unlock() // another takes over if runtime.Goexit brought us here
	}()
	for len(r.queue) > 0 {
		n, dropped := r.queue[0], r.dropped
		r.queue[0], r.dropped = notice{}, 0
		r.queue = r.queue[1:]
		r.deliverOne(n, dropped)
	}
	r.queue = nil
}

// deliverOne releases r.mu, which the caller holds, while it runs foreign code.
func (r *Registry) deliverOne(n notice, dropped int) {
	r.mu.Unlock()
	defer r.mu.Lock()
	if dropped > 0 {
		r.log(notice{level: slog.LevelError, msg: "health events dropped: an observer or the log handler is too slow",
			attrs: []slog.Attr{slog.Int("dropped", dropped)}})
	}
	r.log(n)
	if n.event == nil {
		return
	}
	for _, observe := range r.observers {
		r.observe(observe, n.event)
	}
}

// flush waits until everything queued is delivered, for stopGrace at most.
func (r *Registry) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	for {
		r.mu.Lock()
		delivered := r.delivered
		r.mu.Unlock()
		if delivered == nil {
			return
		}
		select {
		case <-delivered:
		case <-ctx.Done():
			return
		}
	}
}

func (r *Registry) observe(observe func(Event), e Event) {
	defer func() {
		if v := recover(); v != nil {
			r.log(notice{level: slog.LevelError, msg: "health observer panicked", attrs: []slog.Attr{
				slog.String("panic", fmt.Sprint(v)), slog.String("stack", string(debug.Stack())),
			}})
		}
	}()
	observe(e)
}

// log writes a line. A panicking log handler loses its line and nothing else.
func (r *Registry) log(n notice) {
	if n.msg == "" {
		return
	}
	defer func() { _ = recover() }()
	logger := r.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(context.Background(), n.level, n.msg, n.attrs...)
}
