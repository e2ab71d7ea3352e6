package certscmd

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// maxSleep bounds a wait, since a clock may be set meanwhile and somebody
	// else may renew.
	maxSleep   = time.Minute
	minBackoff = time.Second
	maxBackoff = time.Minute
)

// follow renews until the context ends.
func (c *renew) follow(ctx context.Context, targets []*renewal) error {
	type state struct {
		backoff time.Duration
		retry   time.Time
	}
	states := make([]state, len(targets))
	for {
		now := time.Now()
		next := now.Add(maxSleep)
		for i, t := range targets {
			s := &states[i]
			if now.Before(s.retry) {
				next = earlier(next, s.retry)
				continue
			}
			err := c.look(ctx, t, now)
			select {
			case <-ctx.Done():
				return nil
			default:
			}
			if err != nil {
				s.backoff = min(max(2*s.backoff, minBackoff), maxBackoff)
				s.retry = now.Add(s.backoff)
				_, _ = fmt.Fprintf(c.streams.Err, "grpcx: %v; trying again in %v\n", firstLine(err), s.backoff)
				next = earlier(next, s.retry)
				continue
			}
			*s = state{}
			next = earlier(next, t.due)
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// firstLine keeps what is told on one line.
func firstLine(err error) error { return errors.New(clean(err.Error())) }
