package healthx

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
)

// entry is the mutable side of one name; r.mu guards it.
type entry struct {
	name   string
	off    bool // switched off with SetServing
	served bool // was SERVING at some time
	status Status
	since  time.Time
	reason string
}

func newEntry(name string, now time.Time) *entry {
	return &entry{name: name, since: now, reason: reasonNotRunning}
}

// snapshot is immutable and what probes read.
type snapshot struct {
	nodes map[string]*node // "" and "readiness" share one
	grown chan struct{}    // closed when a later snapshot has more names
}

// node is the status of one name for as long as it does not change.
type node struct {
	status  Status
	changed chan struct{} // closed when a later snapshot has another status
}

const (
	reasonNotRunning = "not running"
	reasonDraining   = "draining"
	reasonSwitched   = "switched off"
)

// update computes the status of every entry anew, publishes a snapshot if
// anything changed, then wakes the watchers concerned and queues events. The
// caller holds r.mu.
func (r *Registry) update(now time.Time) {
	r.started = r.started || r.runCtx != nil && !slices.ContainsFunc(r.checks, func(c *check) bool {
		return c.affects(Readiness) && !c.passedOnce
	})

	var changed []*entry
	for _, e := range r.entries {
		status, reason := r.judge(e)
		e.reason = reason
		if status != e.status {
			e.status, e.since = status, now
			e.served = e.served || status == Serving
			changed = append(changed, e)
		}
	}
	r.publish()

	if r.entries[Readiness].status == Serving {
		select {
		case <-r.ready:
		default:
			close(r.ready)
		}
	}
	if len(changed) > 0 {
		slices.SortFunc(changed, func(a, b *entry) int { return strings.Compare(a.name, b.name) })
		r.notifyChanged(changed, now)
	}
}

// judge decides whether e serves and, if not, why.
func (r *Registry) judge(e *entry) (Status, string) {
	switch {
	case r.runCtx == nil:
		return NotServing, reasonNotRunning
	case e.name != Liveness && r.draining:
		return NotServing, reasonDraining
	case e.off:
		return NotServing, reasonSwitched
	case e.name == Liveness:
		return Serving, ""
	}
	var failing, waiting []string
	for _, c := range r.checks {
		switch r.verdict(c, e) {
		case verdictFailing:
			failing = append(failing, c.name)
		case verdictWaiting:
			waiting = append(waiting, c.name)
		case verdictNone, verdictOK:
		}
	}
	switch {
	case len(failing) > 0:
		return NotServing, "failing checks: " + strings.Join(failing, ", ")
	case len(waiting) > 0:
		return NotServing, "waiting for checks: " + strings.Join(waiting, ", ")
	}
	return Serving, ""
}

// verdict is what one check says about one entry.
type verdict uint8

const (
	verdictNone    verdict = iota // the entry does not depend on the check
	verdictOK                     // the check is not in the way
	verdictWaiting                // it has not succeeded yet, which a new entry waits for
	verdictFailing
)

// verdict is shared by statuses and HTTP probes, so that they cannot disagree.
// The caller holds r.mu.
func (r *Registry) verdict(c *check, e *entry) verdict {
	switch {
	case e.name == Liveness:
		return verdictNone
	case e.name == Startup && !c.affects(Readiness):
		return verdictNone
	case e.name == Startup && !r.started && !c.passedOnce:
		return verdictWaiting
	case e.name == Startup:
		return verdictOK
	case !c.affects(e.name):
		return verdictNone
	case c.state == CheckFailing:
		return verdictFailing
	case c.state == CheckPending && !e.served:
		return verdictWaiting
	}
	return verdictOK
}

// publish stores a new snapshot if the entries differ from the present one.
// The channels of what it replaces are closed after the store, so that a
// watcher that wakes finds the new state.
func (r *Registry) publish() {
	old := r.snap.Load()
	if old == nil {
		old = &snapshot{}
	}
	nodes := make(map[string]*node, len(r.entries)+1)
	var wake []chan struct{}
	for name, e := range r.entries {
		n := old.nodes[name]
		if n == nil || n.status != e.status {
			if n != nil {
				wake = append(wake, n.changed)
			}
			n = &node{status: e.status, changed: make(chan struct{})}
		}
		nodes[name] = n
	}
	nodes[""] = nodes[Readiness]
	if maps.Equal(nodes, old.nodes) {
		return
	}

	grown := old.grown
	if len(nodes) > len(old.nodes) {
		if grown != nil {
			wake = append(wake, grown)
		}
		grown = make(chan struct{})
	}
	r.snap.Store(&snapshot{nodes: nodes, grown: grown})
	for _, ch := range wake {
		close(ch)
	}
}

// notifyChanged queues one event per entry and one log line for all of them.
func (r *Registry) notifyChanged(changed []*entry, now time.Time) {
	var serving, not []string
	reasons := make(map[string]bool)
	for _, e := range changed {
		from := Serving
		if e.status == Serving {
			from = NotServing
			serving = append(serving, e.name)
		} else {
			not = append(not, e.name)
			reasons[e.reason] = true
		}
		r.notify(notice{event: StatusChanged{Time: now, Service: e.name, From: from, To: e.status, Reason: e.reason}})
	}

	n := notice{level: slog.LevelInfo, msg: "health status changed"}
	if len(serving) > 0 {
		n.attrs = append(n.attrs, slog.Any("serving", serving))
	}
	if len(not) > 0 {
		if !r.draining {
			n.level = slog.LevelWarn
		}
		n.attrs = append(n.attrs, slog.Any("not_serving", not),
			slog.String("reason", strings.Join(slices.Sorted(maps.Keys(reasons)), "; ")))
	}
	r.notify(n)
}
