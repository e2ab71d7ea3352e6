package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
)

// Fleet is one server process of every stack.
type Fleet struct{ servers []*process }

// StartFleet starts the processes. They end with Close, with ctx, and with
// this process.
func StartFleet(ctx context.Context) (*Fleet, error) {
	f := &Fleet{}
	for _, s := range stacks {
		p, err := startProcess(ctx, s.name)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		f.servers = append(f.servers, p)
	}
	return f, nil
}

// Measure gives every server a chunk of calls, one server after the other in
// random order, and returns what each used by the stack's name.
func (f *Fleet) Measure(ctx context.Context, w Workload, calls int) (map[string]Sample, error) {
	samples := map[string]Sample{}
	for _, i := range rand.Perm(len(f.servers)) {
		p := f.servers[i]
		s, err := p.measure(ctx, w, calls)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", p.name, w.Name, err)
		}
		samples[p.name] = s
	}
	return samples, nil
}

// Close ends the processes.
func (f *Fleet) Close() error {
	errs := make([]error, len(f.servers))
	for i, p := range f.servers {
		errs[i] = p.close()
	}
	return errors.Join(errs...)
}
