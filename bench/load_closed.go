package bench

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
)

// inFlight is the number of calls in flight on each connection.
const inFlight = 8

// client makes the callers of a closed loop.
type client interface {
	caller(ctx context.Context, conn *grpc.ClientConn) (caller, error)
}

// caller keeps one call in flight.
type caller struct {
	call  func() error
	close func() error // may be nil
}

// closedLoop keeps inFlight calls in flight on every connection.
type closedLoop struct {
	callers []caller
	cancel  context.CancelFunc
}

// openClosedLoop makes one call with each caller, so that streams are open and
// buffers grown.
func openClosedLoop(ctx context.Context, p *process, c client) (session, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &closedLoop{cancel: cancel}
	for _, conn := range p.conns {
		for range inFlight {
			caller, err := c.caller(ctx, conn)
			if err != nil {
				cancel()
				return nil, err
			}
			s.callers = append(s.callers, caller)
		}
	}
	if _, err := s.run(len(s.callers)); err != nil {
		cancel()
		return nil, err
	}
	return s, nil
}

func (s *closedLoop) run(n int) ([]time.Duration, error) {
	var (
		left atomic.Int64
		wg   sync.WaitGroup
	)
	left.Store(int64(n))
	errs := make([]error, len(s.callers))
	for i, c := range s.callers {
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
	return nil, errors.Join(errs...)
}

func (s *closedLoop) close() error {
	defer s.cancel()
	var errs []error
	for _, c := range s.callers {
		if c.close != nil {
			errs = append(errs, c.close())
		}
	}
	return errors.Join(errs...)
}
