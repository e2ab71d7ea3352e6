package tlsx

import (
	"errors"
	"log/slog"
	"time"
)

var errUnsettled = because(ReasonUnsettled, errors.New("tlsx: the files keep changing; let their writer finish, or replace them by an atomic rename"))

// A sample is what the files held while the links to them stayed the same.
type sample struct {
	*view

	digest digest
}

// maxTakes bounds the attempts to read while no link moves.
const maxTakes = 5

// take reads the files. First it resolves all links once and watches the
// directories passed, so that no change after the read goes unnoticed. Then it
// reads where the links led, so that all files are of one update, and makes
// sure that they still lead there. It reports false if they keep moving.
func (r *Reloader) take() (sample, bool) {
	var v *view
	for range maxTakes {
		before := follow(r.plain, r.either)
		r.arm(before)
		v = newView(before.ends)
		v.readAll(r.plain, r.either)
		if before.same(follow(r.plain, r.either)) {
			return sample{v, v.digest()}, true
		}
		v.wipe(r.files.Key)
	}
	return sample{view: v}, false
}

// look reads the files and does what is due. The caller holds r.mu.
func (r *Reloader) look() {
	s, ok := r.take()
	defer s.wipe(r.files.Key)
	now := time.Now() // a slow file system must not use up the settle time
	r.st.LastAttempt = now
	refused := r.st.Degraded && s.digest == r.failed && r.st.Reason != ReasonUnsettled
	switch {
	case ok && s.digest == r.adopted:
		r.clean(now)
	case ok && refused && due(r.retryAt, now):
		_ = r.judge(s, now) // reported already; time may have made it good
	case ok && refused:
		r.rest()
	case ok && r.pending != nil && *r.pending == s.digest:
		_ = r.judge(s, now) // reported
	default:
		r.pending = nil
		if ok {
			r.pending = &s.digest
		}
		if r.burstAt.IsZero() {
			r.burstAt = now
		}
		r.settleAt = now.Add(r.settle)
		if now.Sub(r.burstAt) >= r.poll {
			_ = r.refuse(errUnsettled, digest{}, now)
			r.settleAt = now.Add(r.backoff)
		}
	}
}

// rest forgets what was settling.
func (r *Reloader) rest() {
	r.pending = nil
	r.burstAt, r.settleAt = time.Time{}, time.Time{}
}

// judge adopts the sample or says why not.
func (r *Reloader) judge(s sample, now time.Time) error {
	r.rest()
	current := r.Current()
	var warning error
	l := loader{
		files: r.files, view: s.view, now: now, previous: current,
		weigh: weigher(current, r.keepSANs, &warning),
	}
	p, err := l.load()
	if err != nil {
		return r.refuse(err, s.digest, now)
	}
	r.adopted = s.digest
	sameTrust := current.sameTrust(p)
	if sameTrust && current.sameIdentity(p) {
		r.clean(now)
		return nil
	}
	p.generation = current.generation + 1
	p.cert.OCSPStaple = current.stapleFor(p.chain[0])
	if sameTrust {
		p.keepTrust(current)
	}
	r.adopt(newSnapshot(p), !sameTrust, warning, now)
	r.clean(now)
	return nil
}

// adopt makes next the current generation.
func (r *Reloader) adopt(next *Snapshot, trustChanged bool, warning error, now time.Time) {
	before := r.current.Swap(&generation{next, make(chan struct{})})
	close(before.changed)
	r.noteSnapshot(next, now)
	n := notice{
		event: Reloaded{Time: now, Generation: next.generation, TrustChanged: trustChanged, Warning: warning},
		level: slog.LevelInfo, msg: "tls files reloaded",
		attrs: []slog.Attr{slog.Any("snapshot", next), slog.Bool("trust_changed", trustChanged)},
	}
	if warning != nil {
		n.level = slog.LevelWarn
		n.attrs = append(n.attrs, slog.String("warning", warning.Error()))
	}
	r.notices.add(n)
}

// clean notes that the files are what is served.
func (r *Reloader) clean(now time.Time) {
	r.rest()
	r.noteSuccess(now)
	r.retryAt, r.backoff = time.Time{}, 0
	if !r.st.Degraded {
		return
	}
	since := r.st.DegradedSince
	r.st.Degraded, r.st.DegradedSince, r.st.Reason, r.st.Error = false, time.Time{}, "", ""
	r.notices.add(notice{
		event: Recovered{Time: now, Since: since},
		level: slog.LevelInfo, msg: "tls files recovered",
		attrs: []slog.Attr{slog.Duration("degraded_for", now.Sub(since)), slog.Uint64("generation", r.st.Generation)},
	})
}

// refuse notes that the files cannot be adopted and plans the next attempt. The
// same failure again is not reported again.
func (r *Reloader) refuse(err error, d digest, now time.Time) error {
	reason := reasonOf(err)
	again := r.st.Degraded && r.failed == d && r.st.Reason == reason
	if again {
		r.backoff = min(2*r.backoff, r.poll)
	} else {
		r.backoff = r.settle
	}
	r.failed = d
	r.retryAt = now.Add(r.backoff)
	r.st.Reason, r.st.Error = reason, err.Error()
	if again {
		return err
	}
	if !r.st.Degraded {
		r.st.Degraded, r.st.DegradedSince = true, now
		defer r.notices.add(notice{event: Degraded{Time: now, Reason: reason}})
	}
	r.notices.add(notice{
		event: ReloadFailed{Time: now, Reason: reason, Err: err},
		level: slog.LevelWarn, msg: "tls files not adopted, the last good ones stay in use",
		attrs: []slog.Attr{slog.String("reason", string(reason)), slog.String("error", err.Error()), slog.Uint64("generation", r.st.Generation)},
	})
	return err
}

func due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }
