package grpcx

import "time"

// budget is the time that Drain.Stop leaves. Each step may take half of what
// is left, so that one that hangs leaves something to those after it.
type budget struct {
	deadline time.Time
	hurry    <-chan struct{} // leaves next to nothing
	hurried  bool
}

const (
	// hurriedStep is what a step may take once the drain is cut short.
	hurriedStep = 50 * time.Millisecond
	// hurriedTotal is what all steps together may take then.
	hurriedTotal = 200 * time.Millisecond
)

func newBudget(d time.Duration, hurry <-chan struct{}) *budget {
	return &budget{deadline: time.Now().Add(d), hurry: hurry}
}

func (b *budget) step() time.Duration {
	if !b.hurried && isClosed(b.hurry) {
		b.hurried = true
		if d := time.Now().Add(hurriedTotal); d.Before(b.deadline) {
			b.deadline = d
		}
	}
	step := time.Until(b.deadline) / 2
	if b.hurried {
		step = min(step, hurriedStep)
	}
	return step
}

// wait waits for done, for one step at the most.
func (b *budget) wait(done <-chan struct{}) bool { return b.waitOr(done, func() {}) }

// waitOr is wait; it calls tell when the drain is cut short meanwhile.
func (b *budget) waitOr(done <-chan struct{}, tell func()) bool {
	if isClosed(done) {
		return true
	}
	timer := time.NewTimer(b.step())
	defer timer.Stop()
	hurry := b.hurry
	if b.hurried {
		hurry = nil
	}
	for {
		select {
		case <-done:
			return true
		case <-timer.C:
			return false
		case <-hurry:
			hurry = nil
			tell()
			timer.Reset(b.step())
		}
	}
}
