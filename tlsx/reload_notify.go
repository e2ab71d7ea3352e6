package tlsx

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// maxNotices is how many notices may wait for a slow observer or log handler.
const maxNotices = 1024

// A notice is an event, a log line, or both.
type notice struct {
	event Event
	level slog.Level
	msg   string // empty: no log line
	attrs []slog.Attr
}

// A notifier hands notices to the log and the observer: in order, one at a
// time, and outside every lock of the reloader.
type notifier struct {
	logger    *slog.Logger // nil: the default one at the time of each line
	observers []func(Event)

	mu      sync.Mutex
	queue   []notice
	dropped int
	busy    chan struct{} // closed when the delivery that runs ends; nil: none does
}

func (n *notifier) add(item notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.queue) >= maxNotices {
		n.queue = n.queue[1:]
		n.dropped++
	}
	n.queue = append(n.queue, item)
}

// deliver delivers what waits, unless somebody does so already; that one then
// delivers all. So an observer may call the reloader.
func (n *notifier) deliver() {
	if n.claim() {
		n.drain()
	}
}

// deliverAside is deliver on a goroutine that ends with the last notice, so
// that a log handler stuck on a full pipe does not keep the files unwatched.
func (n *notifier) deliverAside() {
	if n.claim() {
		go n.drain()
	}
}

func (n *notifier) claim() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.busy != nil || len(n.queue) == 0 {
		return false
	}
	n.busy = make(chan struct{})
	return true
}

func (n *notifier) drain() {
	n.mu.Lock()
	defer func() { // also if runtime.Goexit brought us here
		close(n.busy)
		n.busy = nil
		n.mu.Unlock()
	}()
	for len(n.queue) > 0 {
		item, dropped := n.queue[0], n.dropped
		n.queue[0], n.dropped = notice{}, 0
		n.queue = n.queue[1:]
		n.one(item, dropped)
	}
	n.queue = nil
}

// wait waits for the delivery that runs, if any.
func (n *notifier) wait(limit time.Duration) {
	n.mu.Lock()
	busy := n.busy
	n.mu.Unlock()
	if busy == nil {
		return
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-busy:
	case <-timer.C:
	}
}

// one releases n.mu, which the caller holds, while foreign code runs.
func (n *notifier) one(item notice, dropped int) {
	n.mu.Unlock()
	defer n.mu.Lock()
	if dropped > 0 {
		n.log(notice{level: slog.LevelError, msg: "tls events dropped: the observer or the log handler is too slow",
			attrs: []slog.Attr{slog.Int("dropped", dropped)}})
	}
	if item.msg != "" {
		n.log(item)
	}
	if item.event == nil {
		return
	}
	for _, observe := range n.observers {
		n.call(observe, item.event)
	}
}

func (n *notifier) call(observe func(Event), event Event) {
	defer func() {
		if v := recover(); v != nil {
			n.log(notice{level: slog.LevelError, msg: "tls observer panicked",
				attrs: []slog.Attr{slog.Any("panic", v), slog.String("stack", string(debug.Stack()))}})
		}
	}()
	observe(event)
}

// log survives a handler that panics: there is nowhere left to say so.
func (n *notifier) log(item notice) {
	defer func() { _ = recover() }()
	logger := n.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.LogAttrs(context.Background(), item.level, item.msg, item.attrs...)
}
