package healthx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"
)

// Registry holds the health of a server: one status per name, and the checks
// that decide it. Make one with [NewRegistry]; all methods are safe for
// concurrent use and none but [Registry.Run] blocks.
type Registry struct {
	logger    *slog.Logger
	observers []func(Event)

	snap   atomic.Pointer[snapshot] // what probes read
	ready  chan struct{}            // closed when readiness first serves
	closed chan struct{}            // closed by Close
	loops  sync.WaitGroup           // one per check while running

	mu        sync.Mutex
	entries   map[string]*entry // by canonical name
	checks    []*check          // in the order added
	runCtx    context.Context   // nil until Run
	stopped   bool              // Run is ending or has ended
	draining  bool
	started   bool // every check that startup waits for succeeded once
	queue     []notice
	dropped   int
	delivered chan struct{} // closed when the queue is empty; nil if it is
}

// NewRegistry returns a registry in which everything is NOT_SERVING until
// [Registry.Run]. It starts no goroutine.
func NewRegistry(opts ...Option) *Registry {
	r := &Registry{
		ready:   make(chan struct{}),
		closed:  make(chan struct{}),
		entries: make(map[string]*entry),
	}
	for _, opt := range opts {
		if opt != nil {
			opt.apply(r)
		}
	}
	now := time.Now()
	for _, name := range []string{Readiness, Liveness, Startup} {
		r.entries[name] = newEntry(name, now)
	}
	r.update(now)
	return r
}

// AddService adds an entry for each service, by its full name as
// "acme.greet.v1.Greeter". Names that have an entry are left as they are;
// among these are the reserved "", [Readiness], [Liveness] and [Startup],
// which always keep their own meaning, so a proto service of such a name is
// answered with that entry. A name that is not valid UTF-8 is ignored: the
// protocol cannot carry it. AddService may be called at any time.
func (r *Registry) AddService(names ...string) {
	r.mu.Lock()
	defer r.unlock()
	now := time.Now()
	grown := false
	for _, name := range names {
		name = canonical(name)
		if r.entries[name] == nil && utf8.ValidString(name) {
			r.entries[name] = newEntry(name, now)
			grown = true
		}
	}
	if grown {
		r.update(now)
	}
}

// AddCheck adds a check that runs in the background from [Registry.Run] on,
// or at once if that was called. check must honour its context, which ends at
// the timeout and when Run ends; nil means healthy. A panic or
// [runtime.Goexit] in it is a failure.
//
// The name identifies the check in logs, events, reports and HTTP probes,
// whose own lines "running", "switch" and "shutdown" are refused as names. A
// check that cannot be added gives a [*CheckError].
func (r *Registry) AddCheck(name string, check func(context.Context) error, opts ...CheckOption) error {
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return &CheckError{Check: name, Err: errors.New("the name is empty or not printable; name the dependency, as \"postgres\"")}
	}
	if reserved(name) {
		return &CheckError{Check: name, Err: errors.New("HTTP probes show a line of this name themselves; name the dependency, as \"postgres\"")}
	}
	if check == nil {
		return &CheckError{Check: name, Err: errors.New("the function is nil; pass one that returns nil while the dependency is healthy")}
	}
	config, failed := newCheckConfig(opts)
	if failed != nil {
		failed.Check = name
		return failed
	}

	r.mu.Lock()
	defer r.unlock()
	if r.stopped {
		return &CheckError{Check: name, Err: ErrStopped}
	}
	for _, c := range r.checks {
		if c.name == name {
			return &CheckError{Check: name, Err: ErrDuplicateCheck}
		}
	}
	c := newCheck(name, check, config)
	r.checks = append(r.checks, c)
	if r.runCtx != nil {
		r.start(c)
	}
	r.update(time.Now())
	return nil
}

// SetServing switches an entry off (false) or back on (true, the default).
// An entry that is on still serves only if its checks pass. "" and
// [Readiness] switch readiness alone, not the services. [Liveness] may be
// switched, for a program that knows when it must be restarted; [Startup]
// follows the checks and is refused. After Drain a switch has no visible
// effect. An unknown name gives an error that wraps [ErrUnknownService].
func (r *Registry) SetServing(service string, serving bool) error {
	name := canonical(service)
	if name == Startup {
		return fmt.Errorf("healthx: SetServing(%q): startup follows the checks and cannot be switched; add a check with AddCheck", service)
	}
	r.mu.Lock()
	defer r.unlock()
	e := r.entries[name]
	if e == nil {
		return fmt.Errorf("healthx: SetServing(%q): %w", service, ErrUnknownService)
	}
	e.off = !serving
	r.update(time.Now())
	return nil
}

// Status returns the status of an entry, and false if the name is unknown. It
// reads what probes read, without locking or allocating.
func (r *Registry) Status(service string) (Status, bool) {
	n, ok := r.snap.Load().nodes[service]
	if !ok {
		return NotServing, false
	}
	return n.status, true
}

// Ready returns a channel that is closed when readiness serves for the first
// time. It stays closed; use [Registry.Status] for the present.
func (r *Registry) Ready() <-chan struct{} { return r.ready }

// Drain makes everything but [Liveness] NOT_SERVING, for good. Watch streams
// are told and stay open; new ones get NOT_SERVING and stay open. Call it
// first when shutting down, while the server still accepts calls. Checks go
// on running until Run ends. Further calls do nothing.
func (r *Registry) Drain() {
	r.mu.Lock()
	defer r.unlock()
	r.drain()
}

func (r *Registry) drain() {
	if r.draining {
		return
	}
	r.draining = true
	r.update(time.Now())
}

// Close drains and then ends every Watch stream, present and future, with
// UNAVAILABLE, so that GracefulStop does not wait for them. (UNIMPLEMENTED
// would tell clients that the server is healthy.) Check and List go on
// answering. Close it when the server has begun to stop, not before: clients
// reopen a stream that ends. A stream whose client has stopped reading ends
// with the server's Stop only. Close does not end Run. Further calls do nothing.
func (r *Registry) Close() {
	r.mu.Lock()
	defer r.unlock()
	select {
	case <-r.closed:
	default:
		close(r.closed) // before the drain, so that watchers it wakes see it
	}
	r.drain()
}
