package runtimex

import (
	"context"
	"log/slog"
	"path"
	"time"
)

// settle is how long events are collected before they are acted on, so that a
// storm of them costs little.
const settle = 5 * time.Millisecond

// startLoop starts to watch, where there is something to watch.
func (e *engine) startLoop() {
	if e.cfg.events && e.reader != nil {
		var err error
		if e.watch, err = e.host.watch(); err != nil {
			e.noteWatch(err)
		}
		e.rewatch()
	}
	if e.cfg.poll < 0 && e.watch == nil {
		return
	}
	var ctx context.Context
	ctx, e.cancel = context.WithCancel(context.Background())
	e.done = make(chan struct{})
	go e.loop(ctx)
}

func (e *engine) loop(ctx context.Context) {
	defer close(e.done)
	var polls <-chan time.Time
	if e.cfg.poll > 0 {
		ticker := time.NewTicker(e.cfg.poll)
		defer ticker.Stop()
		polls = ticker.C
	}
	var events <-chan struct{}
	if e.watch != nil {
		events = e.watch.C()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-polls:
			e.look(now)
		case <-events:
			select {
			case <-ctx.Done():
				return
			case <-time.After(settle):
			}
			e.look(time.Now())
		}
	}
}

// rewatch follows the limit files as the process moves between groups.
func (e *engine) rewatch() {
	if e.watch == nil {
		return
	}
	files := e.reader.files()
	if sameSlice(files, e.watched) {
		return
	}
	e.watched = files
	paths := make([]string, len(files))
	for i, name := range files {
		paths[i] = path.Join(e.host.root, name)
	}
	e.noteWatch(e.watch.set(paths))
}

// noteWatch logs once why changes are noticed later than they could be.
func (e *engine) noteWatch(err error) {
	if err != nil && (e.watchErr == nil || err.Error() != e.watchErr.Error()) {
		e.listeners.logger().Info("runtimex: some changes of limits send no event and wait for the next poll",
			slog.Any("error", err))
	}
	e.watchErr = err
}

// sameSlice is true for the same slice, not for an equal one.
func sameSlice(a, b []string) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// stop ends the watching and puts everything back.
func (e *engine) stop() {
	if e.done != nil {
		e.cancel()
		<-e.done
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.watch != nil {
		e.watch.close()
	}
	limits, _ := e.read() // what could not be read was reported
	e.closeReader()
	decided.Store(nil)
	e.procs.undo(limits)
	e.memory.undo()
	e.gc.undo()
}

func (e *engine) closeReader() {
	if e.reader != nil {
		e.reader.close()
		e.reader = nil
	}
}
