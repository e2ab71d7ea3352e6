package tlsx

import (
	"fmt"
	"log/slog"
	"time"
)

const (
	defaultPoll   = 10 * time.Second
	minPoll       = 100 * time.Millisecond
	defaultSettle = 100 * time.Millisecond
)

// ReloaderOption configures a [Reloader]. Options come from this package only
// and can be printed.
type ReloaderOption interface {
	// String describes the option.
	String() string

	applyReloader(*Reloader)
}

type reloaderOption struct {
	text string
	set  func(*Reloader)
}

func (o reloaderOption) String() string            { return o.text }
func (o reloaderOption) applyReloader(r *Reloader) { o.set(r) }

// WithPollInterval sets how often the content of the files is compared, next to
// events: the longest that a change stays unnoticed where there are none, as on
// NFS. Default 10 s, at least 100 ms.
func WithPollInterval(d time.Duration) ReloaderOption {
	return reloaderOption{fmt.Sprintf("WithPollInterval(%v)", d), func(r *Reloader) { r.poll = d }}
}

// WithSettle sets how long the files must stay the same before they are judged,
// so that a writer of several files can finish. Default 100 ms, or half the
// poll interval if that is less, also for zero; at least 1 ms and at most half
// the poll interval.
func WithSettle(d time.Duration) ReloaderOption {
	return reloaderOption{fmt.Sprintf("WithSettle(%v)", d), func(r *Reloader) { r.settle = d }}
}

// WithLogger sets where the reloader logs: one line for each adopted change,
// each new failure, and each change of the degraded state and the watch mode.
// Default and nil: slog.Default() at the time of each line.
func WithLogger(logger *slog.Logger) ReloaderOption {
	return reloaderOption{"WithLogger", func(r *Reloader) { r.notices.logger = logger }}
}

// WithObserver adds a function that receives every [Event]: in order, never
// concurrently, and outside all locks; it may call the reloader. A panic in one
// is logged and goes no further. A slow observer delays later events and log
// lines, and nothing else; beyond 1,024 the oldest are dropped and their number
// is logged. Several are called in the order given. nil is ignored.
func WithObserver(observe func(Event)) ReloaderOption {
	return reloaderOption{"WithObserver", func(r *Reloader) {
		if observe != nil {
			r.notices.observers = append(r.notices.observers, observe)
		}
	}}
}

// WithoutEvents watches by polls alone.
func WithoutEvents() ReloaderOption {
	return reloaderOption{"WithoutEvents", func(r *Reloader) { r.open = nil }}
}

// WithKeptSANs refuses a new certificate that lacks any subject alternative
// name of the current one, as long as that is valid. Without it names may go.
func WithKeptSANs() ReloaderOption {
	return reloaderOption{"WithKeptSANs", func(r *Reloader) { r.keepSANs = true }}
}

// configure applies the options and checks what they left.
func (r *Reloader) configure(opts []ReloaderOption) error {
	for _, o := range opts {
		if o != nil {
			o.applyReloader(r)
		}
	}
	if err := r.stapler.check(); err != nil {
		return err
	}
	if r.poll < minPoll {
		return fmt.Errorf("tlsx: WithPollInterval(%v) is too short; use at least %v", r.poll, minPoll)
	}
	if r.settle == 0 {
		r.settle = min(defaultSettle, r.poll/2)
	}
	switch {
	case r.settle < time.Millisecond:
		return fmt.Errorf("tlsx: WithSettle(%v) is too short; use at least 1ms", r.settle)
	case r.settle > r.poll/2:
		return fmt.Errorf("tlsx: WithSettle(%v) is longer than half the poll interval of %v; shorten it, or lengthen WithPollInterval", r.settle, r.poll)
	}
	return nil
}
