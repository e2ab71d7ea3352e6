package bench

import (
	"context"
	"errors"
	"sync"
	"time"
)

// pace is the interval between the calls of a paced load.
const pace = 2 * time.Millisecond

// paced begins a call at each tick, whether or not the earlier ones are
// answered, so that a slow answer shows in its own latency and delays no other
// call.
type paced struct{ callers []caller }

func openPaced(ctx context.Context, p *process) (session, error) {
	s := &paced{}
	for _, conn := range p.conns {
		c, err := unary{size: 64}.caller(ctx, conn)
		if err != nil {
			return nil, err
		}
		s.callers = append(s.callers, c)
	}
	return s, nil
}

func (s *paced) run(n int) ([]time.Duration, error) {
	latencies, errs := make([]time.Duration, n), make([]error, n)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range n {
		time.Sleep(time.Until(start.Add(time.Duration(i) * pace)))
		wg.Go(func() {
			began := time.Now()
			errs[i] = s.callers[i%len(s.callers)].call()
			latencies[i] = time.Since(began)
		})
	}
	wg.Wait()
	return latencies, errors.Join(errs...)
}

func (s *paced) close() error { return nil }
