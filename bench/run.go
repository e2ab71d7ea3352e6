package bench

import (
	"context"
	"errors"
)

// Config says how much to measure.
type Config struct {
	Rounds int // fleets started one after the other; each gives one ratio
	Chunks int // of each server and workload in a round
	Calls  int // in a chunk
}

// DefaultConfig takes about half a minute.
func DefaultConfig() Config { return Config{Rounds: 5, Chunks: 3, Calls: 2000} }

// Result holds, by the name of the workload and of the stack, one sample per
// round.
type Result struct {
	Config Config
	Rounds map[string]map[string][]Sample
}

// Run measures every stack with every workload. It calls progress, if there
// is one, after each round.
func Run(ctx context.Context, cfg Config, progress func(round int)) (*Result, error) {
	if cfg.Rounds <= 0 || cfg.Chunks <= 0 || cfg.Calls <= 0 {
		return nil, errors.New("rounds, chunks and calls must be positive")
	}
	r := &Result{Config: cfg, Rounds: map[string]map[string][]Sample{}}
	for round := range cfg.Rounds {
		if err := r.round(ctx); err != nil {
			return nil, err
		}
		if progress != nil {
			progress(round + 1)
		}
	}
	return r, nil
}

// round measures with servers of its own: some differences between processes,
// such as where the kernel and the runtime put their memory, last as long as
// the process.
func (r *Result) round(ctx context.Context) (err error) {
	fleet, err := StartFleet(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()
	for _, w := range Workloads() {
		if _, err := fleet.Measure(ctx, w, r.Config.Calls/2); err != nil { // warms up
			return err
		}
		total := map[string]Sample{}
		for range r.Config.Chunks {
			samples, err := fleet.Measure(ctx, w, r.Config.Calls)
			if err != nil {
				return err
			}
			AddTo(total, samples)
		}
		if r.Rounds[w.Name] == nil {
			r.Rounds[w.Name] = map[string][]Sample{}
		}
		for name, s := range total {
			r.Rounds[w.Name][name] = append(r.Rounds[w.Name][name], s)
		}
	}
	return nil
}

// AddTo adds samples to total, stack by stack.
func AddTo(total, samples map[string]Sample) {
	for name, s := range samples {
		sum := total[name]
		sum.Add(s)
		total[name] = sum
	}
}
