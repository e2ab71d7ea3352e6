package healthx

import "log/slog"

// Option configures a [Registry]. Options come from this package only and can
// be printed.
type Option interface {
	// String describes the option.
	String() string

	apply(*Registry)
}

type option struct {
	text string
	set  func(*Registry)
}

func (o option) String() string    { return o.text }
func (o option) apply(r *Registry) { o.set(r) }

// WithLogger sets where the registry logs: changes of status and of a check's
// state, not single results. Default and nil: slog.Default() at the time of
// each line.
func WithLogger(logger *slog.Logger) Option {
	return option{"WithLogger", func(r *Registry) { r.logger = logger }}
}

// WithObserver adds a function that receives every [Event]. Observers are
// called outside all locks, in the order of the events and never
// concurrently, on a goroutine of their own; they may call the registry. A
// panic in one is logged and goes no further.
//
// A slow observer delays later events and log lines, and nothing else. 1,024
// may wait (more in a registry of more than 256 entries); beyond that the
// oldest are dropped and their number is logged. [Registry.Run] delivers what
// is waiting before it returns, for up to 1 s. Several observers are called in
// the order given. nil is ignored.
func WithObserver(observe func(Event)) Option {
	return option{"WithObserver", func(r *Registry) {
		if observe != nil {
			r.observers = append(r.observers, observe)
		}
	}}
}
