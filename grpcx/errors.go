package grpcx

import (
	"fmt"
	"strings"
)

// OptionError is one problem with the options given to [New] or [Instrument],
// or with what was registered. New joins all of them, so use [errors.As] to
// find one and the joined error's text to show all.
type OptionError struct {
	// Option is the option's name, for example "WithLimits".
	Option string
	// Field is the field, key or file within the option; empty where the
	// option has only one value.
	Field string
	// Err says what is wrong and how to mend it.
	Err error
}

// Error names the option and field and carries the remedy.
func (e *OptionError) Error() string {
	name := e.Option
	if e.Field != "" {
		name += "." + e.Field
	}
	return "grpcx: " + name + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *OptionError) Unwrap() error { return e.Err }

func optionErrorf(option, field, format string, args ...any) *OptionError {
	return &OptionError{Option: option, Field: field, Err: fmt.Errorf(format, args...)}
}

// DrainError says what the drain had to abandon so that it could end. Run and
// Serve return it, alone or joined with other errors.
type DrainError struct {
	// Aborted lists the methods, as "pkg.Service/Method", whose calls were
	// still running when Drain.Timeout ended or a second signal came; their
	// clients saw UNAVAILABLE. Sorted, each once.
	Aborted []string
	// Stuck lists the methods whose handlers ignored their cancelled context
	// and were still running when Run returned. Sorted, each once.
	Stuck []string
	// Connections is the number of connections that were closed by force, for
	// example because the peer had stopped reading.
	Connections int
	// Tasks lists the background tasks that did not end in time.
	Tasks []string
	// Hooks lists the stop hooks that did not end in time.
	Hooks []string
	// Hurried is true when a second signal, or the end of the context given to
	// Shutdown, cut the drain short.
	Hurried bool
}

// Error lists what was abandoned.
func (e *DrainError) Error() string {
	var b strings.Builder
	b.WriteString("grpcx: drain incomplete")
	if e.Hurried {
		b.WriteString(" (cut short)")
	}
	sep := ": "
	part := func(what string, names []string) {
		if len(names) > 0 {
			fmt.Fprintf(&b, "%s%s %s", sep, what, strings.Join(names, ", "))
			sep = "; "
		}
	}
	part("aborted calls of", e.Aborted)
	part("handlers still running:", e.Stuck)
	if e.Connections > 0 {
		fmt.Fprintf(&b, "%s%d connections closed by force", sep, e.Connections)
		sep = "; "
	}
	part("tasks still running:", e.Tasks)
	part("stop hooks still running:", e.Hooks)
	return b.String()
}

func (e *DrainError) empty() bool {
	return len(e.Aborted) == 0 && len(e.Stuck) == 0 && e.Connections == 0 &&
		len(e.Tasks) == 0 && len(e.Hooks) == 0
}
