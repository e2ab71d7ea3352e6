package tlsx

// A Source hands out the current snapshot: files, memory, SPIFFE and key stores
// all look alike. Implementations are safe for concurrent use. One that changes
// makes each snapshot but the first with [Snapshot.Next]: its generations tell
// servers which open connections to judge anew.
type Source interface {
	// Current returns the snapshot to use now. It takes no lock, does no I/O
	// and never returns nil after a successful start. Handshakes call it.
	Current() *Snapshot
	// Changed returns a channel that is closed when Current next returns
	// another generation. Fetch it before Current to miss no change. A source
	// that never changes returns nil, which blocks forever.
	Changed() <-chan struct{}
}

// Static returns a source that always holds the snapshot. With nil, every
// handshake is refused.
func Static(snapshot *Snapshot) Source {
	if snapshot == nil {
		snapshot = new(Snapshot)
	}
	return static{snapshot}
}

type static struct{ snapshot *Snapshot }

func (s static) Current() *Snapshot       { return s.snapshot }
func (s static) Changed() <-chan struct{} { return nil }

// current reads the source once. A source that breaks its promise gives the
// zero snapshot, which refuses every handshake.
func current(source Source) *Snapshot {
	if source != nil {
		if s := source.Current(); s != nil {
			return s
		}
	}
	return new(Snapshot)
}
