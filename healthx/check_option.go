package healthx

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	defaultInterval         = 10 * time.Second
	defaultTimeout          = 5 * time.Second
	defaultFailureThreshold = 3
	defaultSuccessThreshold = 1
	defaultJitter           = 0.1

	minInterval = 10 * time.Millisecond
	maxJitter   = 0.5
)

// CheckOption configures one check. CheckOptions come from this package only
// and can be printed. The last of a kind wins.
type CheckOption interface {
	// String describes the option.
	String() string

	apply(*checkConfig) *CheckError
}

type checkOption struct {
	name string
	arg  any
	set  func(*checkConfig) error
}

func (o checkOption) String() string {
	if o.arg == nil {
		return o.name
	}
	return fmt.Sprintf("%s(%v)", o.name, o.arg)
}

func (o checkOption) apply(c *checkConfig) *CheckError {
	if err := o.set(c); err != nil {
		return &CheckError{Option: o.name, Err: err}
	}
	return nil
}

// checkConfig is complete and valid once newCheckConfig has returned it.
type checkConfig struct {
	interval         time.Duration
	timeout          time.Duration
	initialDelay     time.Duration
	failureThreshold int
	successThreshold int
	jitter           float64
	services         []string // canonical names; nil means all
	informational    bool
}

func newCheckConfig(opts []CheckOption) (checkConfig, *CheckError) {
	c := checkConfig{jitter: defaultJitter}
	for _, opt := range opts {
		if opt == nil {
			return c, &CheckError{Err: errors.New("an option is nil; leave it out")}
		}
		if err := opt.apply(&c); err != nil {
			return c, err
		}
	}
	if c.interval == 0 {
		c.interval = max(defaultInterval, c.timeout)
	}
	if c.timeout == 0 {
		c.timeout = min(defaultTimeout, c.interval)
	}
	if c.timeout > c.interval {
		return c, &CheckError{Option: "Timeout", Err: fmt.Errorf(
			"the timeout of %v is longer than the interval of %v; raise Interval or lower Timeout", c.timeout, c.interval)}
	}
	if c.failureThreshold == 0 {
		c.failureThreshold = defaultFailureThreshold
	}
	if c.successThreshold == 0 {
		c.successThreshold = defaultSuccessThreshold
	}
	return c, nil
}

// Interval sets the time from one start of the check to the next. Default and
// zero: 10 s, or the timeout if that was set to more. The least is 10 ms.
func Interval(d time.Duration) CheckOption {
	return checkOption{"Interval", d, func(c *checkConfig) error {
		if d != 0 && d < minInterval {
			return fmt.Errorf("%v is too short; use %v or more, or 0 for the default", d, minInterval)
		}
		c.interval = d
		return nil
	}}
}

// Timeout sets how long the check may take: its context ends then, and the
// check has failed whether or not it returns. It may not exceed the interval,
// so that a result is never older than two intervals. Default and zero: 5 s,
// or the interval if that is shorter.
func Timeout(d time.Duration) CheckOption {
	return checkOption{"Timeout", d, func(c *checkConfig) error {
		if d < 0 {
			return fmt.Errorf("%v is negative; every check needs a time limit, use 0 for the default", d)
		}
		c.timeout = d
		return nil
	}}
}

// FailureThreshold sets how many failures in a row turn a passing check into
// a failing one. It does not apply before the first success: a check whose
// first result is a failure is failing at once. Default and zero: 3.
func FailureThreshold(n int) CheckOption {
	return checkOption{"FailureThreshold", n, func(c *checkConfig) error {
		if n < 0 {
			return fmt.Errorf("%d is negative; use 1 or more, or 0 for the default", n)
		}
		c.failureThreshold = n
		return nil
	}}
}

// SuccessThreshold sets how many successes in a row turn a failing check into
// a passing one. It does not apply to the first success of a check, which
// makes it pass at once. Default and zero: 1.
func SuccessThreshold(n int) CheckOption {
	return checkOption{"SuccessThreshold", n, func(c *checkConfig) error {
		if n < 0 {
			return fmt.Errorf("%d is negative; use 1 or more, or 0 for the default", n)
		}
		c.successThreshold = n
		return nil
	}}
}

// InitialDelay sets how long after [Registry.Run], or after AddCheck while
// running, the check starts for the first time. Default and zero: at once.
func InitialDelay(d time.Duration) CheckOption {
	return checkOption{"InitialDelay", d, func(c *checkConfig) error {
		if d < 0 {
			return fmt.Errorf("%v is negative; use 0 to start at once", d)
		}
		c.initialDelay = d
		return nil
	}}
}

// Jitter sets the fraction by which each interval varies at random, up and
// down, so that the replicas of a server do not check a dependency in step.
// Default 0.1, that is ±10 %; zero switches it off; at most 0.5. The first
// start is not jittered.
func Jitter(fraction float64) CheckOption {
	return checkOption{"Jitter", fraction, func(c *checkConfig) error {
		if !(fraction >= 0 && fraction <= maxJitter) { // also refuses NaN
			return fmt.Errorf("%v is out of range; use 0 (none) to %v", fraction, maxJitter)
		}
		c.jitter = fraction
		return nil
	}}
}

// Services limits what the check affects to the entries named: services, now
// or later given to [Registry.AddService], and [Readiness]. Without it the
// check affects readiness and every service. A check limited to services is
// no reason to take the whole server out, so it affects readiness, and
// startup with it, only if Readiness is among the names.
func Services(names ...string) CheckOption {
	names = slices.Clone(names)
	return checkOption{"Services", names, func(c *checkConfig) error {
		if len(names) == 0 {
			return errors.New("no name given; name a service, leave the option out to affect all, or use Informational to affect none")
		}
		services := make([]string, 0, len(names))
		for _, name := range names {
			switch name = canonical(name); name {
			case Liveness:
				return fmt.Errorf("%q is never affected by checks, so that an outage of a dependency does not restart the process; use SetServing to switch it", Liveness)
			case Startup:
				return fmt.Errorf("%q follows the checks that affect %q; name that instead", Startup, Readiness)
			}
			services = append(services, name)
		}
		slices.Sort(services)
		c.services = slices.Compact(services)
		return nil
	}}
}

// Informational makes the check one that is run, logged and reported, but
// never changes a status.
func Informational() CheckOption {
	return checkOption{"Informational", nil, func(c *checkConfig) error {
		c.informational = true
		return nil
	}}
}
