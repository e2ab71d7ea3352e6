package otlpx

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An EnvError is one variable of the environment that cannot be used. Its text
// names the variable, what is wrong and the remedy, and never a value that may
// be secret.
type EnvError struct {
	// Variable is the name, such as OTEL_EXPORTER_OTLP_ENDPOINT.
	Variable string
	// Err is what is wrong. It wraps an [io/fs] error where there is one.
	Err error
}

// Error returns the text.
func (e *EnvError) Error() string { return "otlpx: " + e.Variable + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *EnvError) Unwrap() error { return e.Err }

func envErrorf(variable, format string, args ...any) error {
	return &EnvError{Variable: variable, Err: fmt.Errorf(format, args...)}
}

// environ reads variables as OpenTelemetry's specification has them: one that is
// empty is not set.
type environ struct {
	get  func(string) string
	errs []error
}

// first returns the first variable that is set, and its name; with none of them
// the name is the last one.
func (e *environ) first(names ...string) (value, name string) {
	for _, name := range names {
		if value := strings.TrimSpace(e.get(name)); value != "" {
			return value, name
		}
	}
	return "", names[len(names)-1]
}

func (e *environ) failf(variable, format string, args ...any) {
	e.errs = append(e.errs, envErrorf(variable, format, args...))
}

// err joins the problems, one that three signals share only once.
func (e *environ) err() error {
	var errs []error
	for _, err := range e.errs {
		if !slices.ContainsFunc(errs, func(had error) bool { return had.Error() == err.Error() }) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// choice reads a variable with a fixed set of values.
func (e *environ) choice(fallback string, values []string, names ...string) string {
	value, name := e.first(names...)
	switch {
	case value == "":
		return fallback
	case slices.Contains(values, value):
		return value
	}
	e.failf(name, "%q is not supported; use one of %s, or leave it unset for %s", value, strings.Join(values, ", "), fallback)
	return fallback
}

func (e *environ) isTrue(names ...string) bool {
	value, _ := e.first(names...)
	return strings.EqualFold(value, "true")
}

// milliseconds reads a duration; zero and less are refused, since nothing could
// be exported.
func (e *environ) milliseconds(fallback time.Duration, names ...string) time.Duration {
	return time.Duration(e.positive(int(fallback.Milliseconds()), "milliseconds", names...)) * time.Millisecond
}

func (e *environ) positive(fallback int, unit string, names ...string) int {
	value, name := e.first(names...)
	if value == "" {
		return fallback
	}
	n, err := strconv.Atoi(value)
	if err != nil || n <= 0 {
		e.failf(name, "%q is not a positive number of %s; write one, such as %d", value, unit, fallback)
		return fallback
	}
	return n
}

// checkPairs refuses a list that the exporters and the SDK would use in part.
// Headers are secret: the text has no value.
func checkPairs(env *environ, names ...string) {
	value, name := env.first(names...)
	if value == "" {
		return
	}
	for part := range strings.SplitSeq(value, ",") {
		key, text, ok := strings.Cut(part, "=")
		if _, err := url.PathUnescape(text); !ok || strings.TrimSpace(key) == "" || err != nil {
			env.failf(name, "it is not a list such as key1=value1,key2=value2, with the values percent-encoded")
			return
		}
	}
}
