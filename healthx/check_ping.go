package healthx

import (
	"context"
	"errors"
	"fmt"
)

// Pinger is what [Ping] asks; *sql.DB and many clients of databases, caches
// and queues are one.
type Pinger interface {
	// PingContext returns nil when the dependency answers.
	PingContext(ctx context.Context) error
}

// Ping returns a check for [Registry.AddCheck] that passes while p answers.
// Its error wraps that of p, whose text goes to the log and to reports as it
// is. A client that has another method for this needs no constructor:
//
//	health.AddCheck("redis", func(ctx context.Context) error { return client.Ping(ctx).Err() })
func Ping(p Pinger) func(context.Context) error {
	if p == nil {
		return failing(errors.New("ping: the Pinger is nil; pass the client to ask, such as a *sql.DB"))
	}
	return func(ctx context.Context) error {
		if err := p.PingContext(ctx); err != nil {
			return fmt.Errorf("ping of %T: %w; check that the dependency is up, its address and its credentials", p, err)
		}
		return nil
	}
}

// failing is the check that a constructor returns for arguments that can never
// work: it says so where the results of checks are seen.
func failing(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}
