package tlsx

import "time"

// Event is what the observer of a [Reloader] receives: [Reloaded],
// [ReloadFailed], [Degraded], [Recovered] or [WatchModeChanged], by value. More
// kinds may be added; ignore those you do not know.
type Event interface{ event() }

// Reloaded reports that a new generation was adopted.
type Reloaded struct {
	Time       time.Time
	Generation uint64
	// TrustChanged is set when peers are judged differently from now on: open
	// connections want a [Snapshot.Recheck], and older sessions do not resume.
	TrustChanged bool
	// Warning says what is wrong with the new certificate when it was adopted
	// only because the one before was worse; nil otherwise.
	Warning error
}

// ReloadFailed reports that files which changed were not adopted. It is sent
// once for each content and reason; what was adopted last stays in use.
type ReloadFailed struct {
	Time   time.Time
	Reason ReloadReason
	// Err joins the problems, each a *[FileError] where it concerns a file.
	Err error
}

// Degraded reports that the files and what is served begin to differ.
type Degraded struct {
	Time   time.Time
	Reason ReloadReason
}

// Recovered reports that the files are served again.
type Recovered struct {
	Time time.Time
	// Since is when the reloader became degraded.
	Since time.Time
}

// WatchModeChanged reports how changes of the files are noticed from now on.
type WatchModeChanged struct {
	Time time.Time
	Mode WatchMode
	// Err says why there are no events; nil with [WatchEvents], and when events
	// were not asked for.
	Err error
}

func (Reloaded) event()         {}
func (ReloadFailed) event()     {}
func (Degraded) event()         {}
func (Recovered) event()        {}
func (WatchModeChanged) event() {}
