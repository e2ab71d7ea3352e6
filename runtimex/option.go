package runtimex

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"
)

const (
	defaultPoll = time.Second
	minPoll     = 10 * time.Millisecond
)

// Option configures [Apply]. Options come from this package only and can be
// printed. A later one replaces an earlier one of the same name; observers,
// providers and knobs add up.
type Option interface {
	// String describes the option.
	String() string

	apply(*config)
}

// Knob names a setting of the runtime that [Apply] tunes.
type Knob string

// The knobs.
const (
	GOMAXPROCS Knob = "GOMAXPROCS"
	GOMEMLIMIT Knob = "GOMEMLIMIT"
	GOGC       Knob = "GOGC"
)

// Mode says how the collector trades memory for CPU.
type Mode string

const (
	// Balanced leaves GOGC as it is. It is the default.
	Balanced Mode = "balanced"
	// Throughput raises GOGC to 400, or 200 below a memory limit of 256 MiB,
	// where GOGC is neither in the environment nor set by the program. Without
	// a memory limit, a garbage heap could grow without bound: GOGC then stays,
	// and the report says why.
	Throughput Mode = "throughput"
	// Compact lowers GOGC to 50: less memory for more CPU, for small containers
	// with much live data.
	Compact Mode = "compact"
)

// An OptionError is an option that cannot be used. [Apply] joins one for each.
type OptionError struct {
	// Option is the option as it prints: "WithMinProcs(0)".
	Option string
	Err    error
}

// Error implements error.
func (e *OptionError) Error() string { return fmt.Sprintf("runtimex: %s: %v", e.Option, e.Err) }

// Unwrap returns what is wrong with the option.
func (e *OptionError) Unwrap() error { return e.Err }

// config is what the options ask for.
type config struct {
	policy    Policy
	min, max  int     // 0: the policy's; none
	request   float64 // 0: none
	ratio     float64 // 0: the headroom rule
	reserve   int64
	mode      Mode
	providers []provider
	override  bool
	off       map[Knob]bool
	poll      time.Duration // negative: none
	events    bool
	guard     GCGuard
	logger    *slog.Logger
	observers []func(Event)

	tuning []string // the options that decide something, printed
	errs   []error
}

type provider struct {
	option string // as it prints
	read   func(context.Context) (Limits, error)
}

type option struct {
	text string
	set  func(*config) error
	// listens is true for an option that decides nothing, so that it can join
	// a controller that was made with others.
	listens bool
}

func (o option) String() string { return o.text }

func (o option) apply(c *config) {
	if err := o.set(c); err != nil {
		c.errs = append(c.errs, &OptionError{o.text, err})
	}
	if !o.listens {
		c.tuning = append(c.tuning, o.text)
	}
}

func newConfig(opts []Option) (*config, error) {
	c := &config{policy: Native(), mode: Balanced, poll: defaultPoll, events: true, off: map[Knob]bool{}}
	for _, o := range opts {
		if o != nil {
			o.apply(c)
		}
	}
	if c.max > 0 && c.min > c.max {
		c.errs = append(c.errs, &OptionError{fmt.Sprintf("WithMinProcs(%d)", c.min),
			fmt.Errorf("the minimum is above the maximum of WithMaxProcs(%d); lower one or raise the other", c.max)})
	}
	if c.mode != Balanced && c.off[GOGC] {
		c.errs = append(c.errs, &OptionError{fmt.Sprintf("WithMode(%s)", c.mode),
			errors.New("the mode sets GOGC, which Without(GOGC) leaves alone; drop one of the two")})
	}
	// The order says nothing about what is wanted.
	slices.Sort(c.tuning)
	return c, errors.Join(c.errs...)
}

// WithPolicy sets how a CPU quota becomes a GOMAXPROCS. Default [Native].
func WithPolicy(p Policy) Option {
	return option{text: fmt.Sprintf("WithPolicy(%s)", p), set: func(c *config) error {
		if p.round == nil {
			return errors.New("the policy has no rounding; use Native(), Ceil(), Floor() or Rounding(name, f)")
		}
		c.policy = p
		return nil
	}}
}

// WithMinProcs sets the least GOMAXPROCS that a CPU quota can lead to, in
// threads, at least 1. Default 2 with [Native] and 1 with the other policies.
// It never exceeds the CPUs that the affinity mask allows.
func WithMinProcs(n int) Option {
	return option{text: fmt.Sprintf("WithMinProcs(%d)", n), set: func(c *config) error {
		if n < 1 || n > math.MaxInt32 {
			return errors.New("use a positive number of threads")
		}
		c.min = n
		return nil
	}}
}

// WithMaxProcs sets the greatest GOMAXPROCS, in threads, at least 1, whether
// there is a CPU quota or not. Default: the CPUs that the affinity mask allows.
func WithMaxProcs(n int) Option {
	return option{text: fmt.Sprintf("WithMaxProcs(%d)", n), set: func(c *config) error {
		if n < 1 || n > math.MaxInt32 {
			return errors.New("use a positive number of threads")
		}
		c.max = n
		return nil
	}}
}

// WithCPURequest says how many CPUs were requested for this process, for use
// when there is no CPU quota: GOMAXPROCS is then the request rounded up, and at
// least the minimum. Kubernetes passes it through the downward API
// (resourceFieldRef requests.cpu). It is never inferred from cpu.weight, whose
// meaning differs between container runtimes. Default: no request.
func WithCPURequest(cpus float64) Option {
	return option{text: fmt.Sprintf("WithCPURequest(%v)", cpus), set: func(c *config) error {
		if !(cpus > 0 && cpus <= math.MaxInt32) {
			return errors.New("use a positive number of CPUs, such as 0.5")
		}
		c.request = cpus
		return nil
	}}
}

// WithMemoryRatio makes the memory limit of the runtime this share of the
// limit of the control group, above 0 and at most 1, instead of the default:
// the limit less a tenth, and for small limits less 32 MiB but no more than a
// fifth (256 MiB: 0.875; 1 GiB and more: 0.9).
func WithMemoryRatio(ratio float64) Option {
	return option{text: fmt.Sprintf("WithMemoryRatio(%v)", ratio), set: func(c *config) error {
		if !(ratio > 0 && ratio <= 1) {
			return errors.New("use a share above 0 and at most 1, such as 0.8")
		}
		c.ratio = ratio
		return nil
	}}
}

// WithReserve keeps bytes of the control group's limit for memory that the Go
// runtime does not count: cgo, mapped files, eBPF maps, children. It is taken
// off after the headroom. Default 0.
func WithReserve(bytes int64) Option {
	return option{text: fmt.Sprintf("WithReserve(%d)", bytes), set: func(c *config) error {
		if bytes < 0 {
			return errors.New("use a number of bytes that is not negative")
		}
		c.reserve = bytes
		return nil
	}}
}

// WithMode sets how the collector trades memory for CPU. Default [Balanced].
func WithMode(m Mode) Option {
	return option{text: fmt.Sprintf("WithMode(%s)", m), set: func(c *config) error {
		if m != Balanced && m != Throughput && m != Compact {
			return fmt.Errorf("there is no mode %q; use Balanced, Throughput or Compact", string(m))
		}
		c.mode = m
		return nil
	}}
}

// WithProvider adds a source of limits that the control groups do not show.
// Its CPUQuota (0: none) and Memory (0 or NoLimit: none) count beside theirs.
// It is read once, in [Apply], which waits for at most two seconds; its error
// is reported and stops nothing.
func WithProvider(name string, read func(context.Context) (Limits, error)) Option {
	text := fmt.Sprintf("WithProvider(%s)", name)
	return option{text: text, set: func(c *config) error {
		if read == nil {
			return errors.New("the function is nil; pass one that reads the limits")
		}
		c.providers = append(c.providers, provider{text, read})
		return nil
	}}
}

// WithECS adds the limits of the Amazon ECS task, which apply to a group that
// a container cannot see, as a [WithProvider]: it asks the task metadata
// endpoint, version 4.
func WithECS() Option {
	return option{text: "WithECS", set: func(c *config) error {
		c.providers = append(c.providers, provider{"WithECS", ecsLimits})
		return nil
	}}
}

// OverrideEnv makes Apply tune a setting even where the environment variable
// GOMAXPROCS, GOMEMLIMIT, GOGC or GODEBUG, or the program before it called
// Apply, says otherwise. Without it the environment wins.
func OverrideEnv() Option {
	return option{text: "OverrideEnv", set: func(c *config) error {
		c.override = true
		return nil
	}}
}

// Without leaves settings alone.
func Without(knobs ...Knob) Option {
	names := make([]string, len(knobs))
	for i, k := range knobs {
		names[i] = string(k)
	}
	slices.Sort(names)
	return option{text: "Without(" + strings.Join(names, ", ") + ")", set: func(c *config) error {
		for _, k := range knobs {
			if k != GOMAXPROCS && k != GOMEMLIMIT && k != GOGC {
				return fmt.Errorf("there is no knob %q; use GOMAXPROCS, GOMEMLIMIT or GOGC", string(k))
			}
			c.off[k] = true
		}
		return nil
	}}
}

// WithPollInterval sets how often the limits are read and the collector is
// looked at, next to events: the longest that a change stays unnoticed where
// there are no events. Default 1 s, also for zero; at least 10 ms; a negative
// one switches polls off, and with them the guard.
func WithPollInterval(d time.Duration) Option {
	return option{text: fmt.Sprintf("WithPollInterval(%v)", d), set: func(c *config) error {
		switch {
		case d == 0:
			d = defaultPoll
		case d > 0 && d < minPoll:
			return fmt.Errorf("the interval is too short; use at least %v", minPoll)
		}
		c.poll = d
		return nil
	}}
}

// WithoutEvents watches by polls alone.
func WithoutEvents() Option {
	return option{text: "WithoutEvents", set: func(c *config) error {
		c.events = false
		return nil
	}}
}

// WithGCGuard sets when [GCPressure] is reported.
func WithGCGuard(g GCGuard) Option {
	return option{text: fmt.Sprintf("WithGCGuard(%v, %v)", g.Threshold, g.For), set: func(c *config) error {
		c.guard = g
		return g.check()
	}}
}

// WithLogger sets where changes are logged, one line for each. Default and nil:
// slog.Default() at the time of each line. A controller that is shared logs
// where the first call of Apply asked it to.
func WithLogger(logger *slog.Logger) Option {
	return option{text: "WithLogger", listens: true, set: func(c *config) error {
		c.logger = logger
		return nil
	}}
}

// WithObserver adds a function that receives every [Event]: in order and never
// concurrently. It must not block, since the next look at the limits waits for
// it and so does [Controller.Undo], which it must not call. A panic in it is
// logged and goes no further. nil is ignored.
func WithObserver(observe func(Event)) Option {
	return option{text: "WithObserver", listens: true, set: func(c *config) error {
		if observe != nil {
			c.observers = append(c.observers, observe)
		}
		return nil
	}}
}
