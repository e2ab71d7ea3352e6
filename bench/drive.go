package bench

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
)

const (
	connections = 4
	inFlight    = 8 // on each connection
)

// openAll makes the callers of every connection, with one call of each, so
// that streams are open and buffers grown.
func openAll(ctx context.Context, w Workload, conns []*grpc.ClientConn) ([]caller, error) {
	var callers []caller
	for _, conn := range conns {
		for range inFlight {
			c, err := w.open(ctx, conn)
			if err != nil {
				return nil, err
			}
			callers = append(callers, c)
		}
	}
	return callers, drive(callers, len(callers))
}

// drive makes n calls, one in flight per caller, and returns when all are
// answered.
func drive(callers []caller, n int) error {
	var (
		left atomic.Int64
		wg   sync.WaitGroup
	)
	left.Store(int64(n))
	errs := make([]error, len(callers))
	for i, c := range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := c.call(); err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func closeAll(callers []caller) error {
	errs := make([]error, len(callers))
	for i, c := range callers {
		errs[i] = c.close()
	}
	return errors.Join(errs...)
}
