package tlsx

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// SetAllow replaces the list of clients that may connect, Files.Allow, by a new
// generation: it judges every handshake and every resumption from now on, and
// open connections at their [Snapshot.Recheck]. Without matchers every verified
// client is admitted. On an error the list stays as it is. The slice is copied.
func (r *Reloader) SetAllow(allow ...Matcher) error {
	err := r.setAllow(slices.Clone(allow))
	r.notices.deliver()
	return err
}

func (r *Reloader) setAllow(allow []Matcher) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	settings := r.files.policySettings()
	settings.allow = allow
	var errs []error
	for _, p := range settings.check() {
		errs = append(errs, fmt.Errorf("tlsx: %s: %w", p.role, p.err))
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	r.files.Allow = allow
	current := r.Current()
	policy := current.policy
	policy.allow = settings.authorizer()
	if policy.equal(current.policy) {
		return nil
	}
	next := newSnapshot(parts{
		cert: *current.cert(), chain: current.chain, cas: current.cas, roots: current.roots,
		clientAuth: current.clientAuth, usage: current.usage, policy: policy,
		generation: current.generation + 1,
	})
	r.adopt(next, true, nil, time.Now())
	r.publish()
	return nil
}
