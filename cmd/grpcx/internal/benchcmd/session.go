package benchcmd

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"
)

// session is a load in progress: a closed loop of callers, each of which makes
// its next call when the one before is answered.
type session struct {
	callers []func() error
	ends    []func() error
}

// tally is what the client saw.
type tally struct {
	calls     int
	elapsed   time.Duration
	latencies histogram
}

// run keeps all callers busy for as long as d, and each makes one call at least;
// or until one of them fails.
func (s *session) run(d time.Duration) (*tally, error) {
	var wg sync.WaitGroup
	errs, latencies := make([]error, len(s.callers)), make([]histogram, len(s.callers))
	var failed atomic.Bool
	start := time.Now()
	for i, call := range s.callers {
		wg.Go(func() {
			for began := start; began.Sub(start) < d && !failed.Load(); {
				if errs[i] = call(); errs[i] != nil {
					failed.Store(true)
					return
				}
				now := time.Now()
				latencies[i].add(now.Sub(began))
				began = now
			}
		})
	}
	wg.Wait()
	t := &tally{elapsed: time.Since(start)}
	for i := range latencies {
		t.latencies.merge(&latencies[i])
	}
	t.calls = t.latencies.count()
	return t, cmp.Or(errs...) // of one caller: what fails one mostly fails all
}

func (s *session) close() error {
	var errs []error
	for _, end := range s.ends {
		errs = append(errs, end())
	}
	return cmp.Or(errs...)
}
