package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
)

// Result holds, by the name of the load and of the stack, one sample per round.
type Result struct {
	Config Config
	Rounds map[string]map[string][]Sample
}

// Run measures.
func Run(ctx context.Context, cfg Config) (_ *Result, err error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Note == nil {
		cfg.Note = func(string) {}
	}
	certDir, err := os.MkdirTemp("", "grpcx-bench-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(certDir)) }()

	r := &Result{Config: cfg, Rounds: map[string]map[string][]Sample{}}
	for i := range cfg.Rounds {
		cfg.Note(fmt.Sprintf("round %d of %d", i+1, cfg.Rounds))
		if err := r.round(ctx, "", false); err != nil {
			return nil, err
		}
		if err := r.round(ctx, certDir, true); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// round measures the loads of one transport with servers of its own: some
// differences between processes, such as where the kernel and the runtime put
// their memory, last as long as the process.
func (r *Result) round(ctx context.Context, certDir string, tls bool) (err error) {
	loads := slices.DeleteFunc(slices.Clone(r.Config.Loads), func(l Load) bool { return l.TLS != tls })
	if len(loads) == 0 {
		return nil
	}
	f, err := startFleet(ctx, r.Config, certDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	for _, l := range loads {
		total, err := r.measure(ctx, f, l)
		if err != nil {
			return err
		}
		if r.Rounds[l.Name] == nil {
			r.Rounds[l.Name] = map[string][]Sample{}
		}
		for name, s := range total {
			r.Rounds[l.Name][name] = append(r.Rounds[l.Name][name], s)
		}
	}
	return nil
}

// measure warms up with half a chunk. Memory is looked at once: what
// connections leave behind would count against the next ones.
func (r *Result) measure(ctx context.Context, f *fleet, l Load) (map[string]Sample, error) {
	calls, chunks := l.calls(r.Config.Calls), r.Config.Chunks
	if l.memory {
		chunks = 1
	} else if err := f.measure(ctx, l, (calls+1)/2, map[string]Sample{}, r.Config.Note); err != nil {
		return nil, err
	}
	total := map[string]Sample{}
	for range chunks {
		if err := f.measure(ctx, l, calls, total, r.Config.Note); err != nil {
			return nil, err
		}
	}
	return total, nil
}
