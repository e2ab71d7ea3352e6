package tlsx

import (
	"context"
	"log/slog"
	"time"
)

// deliverGrace is how long Run waits for the observers at its end.
const deliverGrace = time.Second

// burstSettles bounds how long events can put off a look, in settle times.
const burstSettles = 10

// Run watches the files until ctx ends and then returns nil. It leaves no
// goroutine and no watch behind, except for an observer that does not return
// within a second. A second call returns [ErrRunCalled].
func (r *Reloader) Run(ctx context.Context) error {
	if !r.ran.CompareAndSwap(false, true) {
		return ErrRunCalled
	}
	r.start()
	waitStapling := r.startStapling(ctx)
	defer func() {
		waitStapling()
		r.stop()
		r.notices.deliverAside()
		r.notices.wait(deliverGrace)
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-r.wake:
			r.turn(true)
		case <-timer.C:
			r.turn(false)
		}
		r.notices.deliverAside()
		timer.Reset(time.Until(r.next()))
	}
	return nil
}

func (r *Reloader) start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.st.Running = true
	r.pollAt = now
	if r.open != nil {
		r.watchAt = now
	} else {
		r.setMode(nil)
	}
	r.publish()
}

func (r *Reloader) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closeWatch()
	r.st.Running, r.st.WatchMode, r.st.WatchError = false, "", ""
	r.publish()
}

// turn does what is due. A wake-up is an event, or a call of Reload.
func (r *Reloader) turn(woken bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.publish()
	now := time.Now()
	if r.watch != nil {
		if err := r.watch.lost(); err != nil {
			// Whatever the events would have told is read now, and settles from now.
			r.closeWatch()
			r.planWatch(err, now)
			r.pending, r.settleAt, woken = nil, now, false
		}
	}
	opened := due(r.watchAt, now) && r.openWatch(now)
	polled := due(r.pollAt, now)
	if polled {
		// A change seen by a poll settles once more, within the interval.
		r.pollAt = now.Add(r.poll - r.settle)
		if r.watch != nil {
			r.watch.quieten()
			r.watchWait = 0
		}
	}
	if woken {
		r.settleSoon(now)
	}
	if opened && !due(r.settleAt, now) {
		r.pending = nil // what was seen has not settled yet
	}
	if opened || due(r.settleAt, now) || r.settleAt.IsZero() && (polled || due(r.retryAt, now)) {
		r.settleAt = time.Time{}
		r.look()
	}
}

// settleSoon waits for the writer to finish, but not for ever.
func (r *Reloader) settleSoon(now time.Time) {
	if r.burstAt.IsZero() {
		r.burstAt = now
	}
	at := now.Add(r.settle)
	if !r.settleAt.IsZero() && at.After(r.burstAt.Add(burstSettles*r.settle)) {
		return
	}
	r.settleAt = at
}

// next returns when something is due.
func (r *Reloader) next() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.pollAt
	// A change that settles is judged first, and the retry planned after it.
	look := r.settleAt
	if look.IsZero() {
		look = r.retryAt
	}
	for _, at := range []time.Time{look, r.watchAt} {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	return next
}

// openWatch asks for events. It reports whether to look at the files, which
// also names the directories to watch.
func (r *Reloader) openWatch(now time.Time) bool {
	r.watchAt = time.Time{}
	source, err := r.open()
	if err != nil {
		r.planWatch(err, now)
		r.setMode(err)
		return false
	}
	r.watch = newWatch(source, r.wake)
	return true
}

// planWatch plans the next attempt to get events: at once, then ever later.
// A poll that finds them working resets it.
func (r *Reloader) planWatch(err error, now time.Time) {
	r.watchAt = now.Add(r.watchWait)
	if r.watchWait > 0 {
		r.setMode(err)
	}
	r.watchWait = min(max(2*r.watchWait, r.settle), r.poll)
}

func (r *Reloader) closeWatch() {
	if r.watch != nil {
		r.watch.close()
		r.watch = nil
	}
}

// arm watches the directories of t, if there are events.
func (r *Reloader) arm(t *trail) {
	if r.watch != nil {
		r.setMode(r.watch.arm(t))
	}
}

// setMode notes whether every directory that matters is watched; if not, err
// says why, nil when events are not wanted.
func (r *Reloader) setMode(err error) {
	mode := WatchPoll
	if err == nil && r.open != nil {
		mode = WatchEvents
	}
	r.st.WatchError = ""
	if err != nil {
		err = explainWatch(err)
		r.st.WatchError = err.Error()
	}
	if r.st.WatchMode == mode {
		return
	}
	r.st.WatchMode = mode
	n := notice{
		event: WatchModeChanged{Time: time.Now(), Mode: mode, Err: err},
		level: slog.LevelInfo, msg: "tls files watched",
		attrs: []slog.Attr{slog.String("watch_mode", string(mode)), slog.Duration("poll_interval", r.poll)},
	}
	if err != nil {
		n.level = slog.LevelWarn
		n.attrs = append(n.attrs, slog.String("error", err.Error()))
	}
	r.notices.add(n)
}
