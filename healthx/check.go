package healthx

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"
)

// check is one registered check; r.mu guards the fields below config.
type check struct {
	name   string
	fn     func(context.Context) error
	config checkConfig

	state      CheckState
	passedOnce bool
	succeeded  int // successes in a row
	failed     int // failures in a row
	successes  uint64
	failures   uint64
	err        string
	duration   time.Duration
	checkedAt  time.Time
	succeedAt  time.Time
	failedAt   time.Time
	current    *execution // nil unless one is running
	overdue    bool       // current ran into its timeout and has not returned
}

func newCheck(name string, fn func(context.Context) error, config checkConfig) *check {
	return &check{name: name, fn: fn, config: config}
}

// affects reports whether a failure of c takes the entry down.
func (c *check) affects(name string) bool {
	return !c.config.informational && c.concerns(name)
}

// concerns is affects without regard to whether c is informational.
func (c *check) concerns(name string) bool {
	if name == Liveness || name == Startup {
		return false
	}
	if c.config.services == nil {
		return true
	}
	_, found := slices.BinarySearch(c.config.services, name)
	return found
}

// pause returns the time from one start to the next.
func (c *check) pause() time.Duration {
	spread := c.config.jitter * (2*rand.Float64() - 1)
	return c.config.interval + time.Duration(spread*float64(c.config.interval))
}

// result is the outcome of one execution.
type result struct {
	err      error
	text     string
	stack    []byte // of a panic
	duration time.Duration
}

// record applies the thresholds to a result and queues what follows from it.
// The caller holds r.mu.
func (r *Registry) record(c *check, res result, now time.Time) {
	from := c.state
	c.err, c.duration, c.checkedAt = res.text, res.duration, now
	if res.err == nil {
		c.succeeded, c.failed = c.succeeded+1, 0
		c.successes++
		c.succeedAt = now
		if !c.passedOnce || c.succeeded >= c.config.successThreshold {
			c.state = CheckPassing
		}
		c.passedOnce = true
	} else {
		c.succeeded, c.failed = 0, c.failed+1
		c.failures++
		c.failedAt = now
		if from == CheckPending || c.failed >= c.config.failureThreshold {
			c.state = CheckFailing
		}
	}

	n := notice{event: CheckDone{
		Time: now, Check: c.name, Err: res.err, Duration: res.duration,
		From: from, To: c.state, Informational: c.config.informational,
	}}
	if c.state != from {
		n.attrs = []slog.Attr{slog.String("check", c.name), slog.Duration("duration", res.duration)}
		if c.state == CheckPassing {
			n.level, n.msg = slog.LevelInfo, "health check passing"
		} else {
			n.level, n.msg = slog.LevelWarn, "health check failing"
			n.attrs = append(n.attrs, slog.String("error", res.text), slog.Int("failures", c.failed))
			if res.stack != nil {
				n.attrs = append(n.attrs, slog.String("stack", string(res.stack)))
			}
		}
	}
	r.notify(n)
	if c.state != from {
		r.update(now)
	}
}

// execution is one run of a check's function on its own goroutine, which is
// what lets a check that ignores its context be left behind.
type execution struct {
	ctx     context.Context
	cancel  context.CancelFunc
	started time.Time
	done    chan struct{} // res may be read once it is closed
	res     result
}

func execute(ctx context.Context, c *check) *execution {
	x := &execution{started: time.Now(), done: make(chan struct{})}
	x.ctx, x.cancel = context.WithTimeout(ctx, c.config.timeout)
	go x.run(c)
	return x
}

func (x *execution) run(c *check) {
	defer x.cancel() // after done, or the loop would see a timeout
	defer close(x.done)
	returned := false
	defer func() {
		if v := recover(); v != nil {
			p := &PanicError{Value: v, Stack: debug.Stack()}
			x.res = result{err: p, text: errorText(p), stack: p.Stack}
		} else if !returned {
			x.res = result{err: ErrGoexit, text: ErrGoexit.Error()}
		}
		x.res.duration = time.Since(x.started)
	}()
	err := c.fn(x.ctx)
	// The methods of err are foreign code too, hence under the same recover.
	if x.ctx.Err() == context.DeadlineExceeded && errors.Is(err, context.DeadlineExceeded) {
		err = &TimeoutError{Timeout: c.config.timeout}
	}
	x.res.err, x.res.text = err, errorText(err)
	returned = true
}
