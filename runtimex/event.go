package runtimex

import "time"

// Event is what an observer receives: [Tuned], [GCPressure], [GCRelieved],
// [Degraded] or [Recovered], by value. More kinds may be added; ignore those
// you do not know.
type Event interface{ event() }

// Tuned reports that the controller changed a setting of the runtime, or saw
// that the runtime changed it itself.
type Tuned struct {
	Time time.Time
	Knob Knob
	// Was is the value before, in the unit of the knob.
	Was int64
	// Now is the value and why.
	Now Snapshot
}

// GCPressure reports that the collector has been using more of the CPU than
// the guard allows, for as long as it allows: the live heap is too close to the
// memory limit, and throughput falls long before memory runs out. It is sent
// once until [GCRelieved].
type GCPressure struct {
	Time time.Time
	// Fraction is the share of the CPU time of all GOMAXPROCS threads that the
	// collector used over the guard's window, 0 to 1. Marking on threads that
	// had nothing else to do does not count.
	Fraction float64
	// HeapLive and MemoryLimit are in bytes.
	HeapLive    int64
	MemoryLimit int64
}

// GCRelieved reports that the pressure is over.
type GCRelieved struct {
	Time     time.Time
	Fraction float64
	// Since is when the pressure was reported.
	Since time.Time
}

// Degraded reports that limits cannot be read as they should, or that a reserve
// no longer fits; the last good limits hold where nothing tighter is known. It is
// sent once for each reason.
type Degraded struct {
	Time time.Time
	Err  error
}

// Recovered reports that all limits can be read again.
type Recovered struct {
	Time time.Time
}

func (Tuned) event()      {}
func (GCPressure) event() {}
func (GCRelieved) event() {}
func (Degraded) event()   {}
func (Recovered) event()  {}
