package runtimex

import (
	"context"
	"errors"
	"time"
)

// providerTimeout bounds each provider, since Apply waits for it.
const providerTimeout = 2 * time.Second

// provide asks the providers for the tightest of their limits.
func provide(providers []provider) (Limits, error) {
	tightest := Limits{Memory: NoLimit}
	var errs []error
	for _, p := range providers {
		ctx, cancel := context.WithTimeout(context.Background(), providerTimeout)
		l, err := p.read(ctx)
		cancel()
		if err != nil {
			errs = append(errs, &OptionError{p.option, err})
			continue
		}
		if l.Memory == 0 {
			l.Memory = NoLimit
		}
		tightest = tighter(tightest, l)
	}
	return tightest, errors.Join(errs...)
}

// tighter returns a with the limits of b where those are tighter.
func tighter(a, b Limits) Limits {
	if b.CPUQuota > 0 && (a.CPUQuota == 0 || b.CPUQuota < a.CPUQuota) {
		a.CPUQuota = b.CPUQuota
	}
	a.Memory = min(a.Memory, b.Memory)
	return a
}
