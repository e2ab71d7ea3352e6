package runtimex

import "math"

// A Policy turns a CPU quota into a GOMAXPROCS. The result is then kept within
// [WithMinProcs], [WithMaxProcs] and the CPUs that the affinity mask allows.
type Policy struct {
	name  string
	min   int // unless WithMinProcs says more
	round func(quota float64) int
}

// Native is the default: what the Go runtime does since 1.25, quota rounded up
// and at least 2. Where the runtime arrives at the same number it is left
// alone and goes on following the quota itself; where it does not, because the
// tightest limit is an ancestor's or the build switched it off, the controller
// sets the number and hands back when the two agree again.
func Native() Policy { return Policy{"native", 2, ceil} }

// Ceil rounds the quota up, to at least 1. It differs from Native below one
// CPU, where a single thread is throttled less if requests are short and alike.
func Ceil() Policy { return Policy{"ceil", 1, ceil} }

// Floor rounds the quota down, to at least 1, as go.uber.org/automaxprocs does,
// which does it here too: through its API, and kept within the CPUs that there
// are. It leaves up to half of the quota unused; it is for those who want
// nothing to change.
func Floor() Policy { return Policy{policyFloor, 1, floor} }

const policyFloor = "floor"

// Rounding is a policy of your own: round receives the quota in CPUs, always
// positive, and must be pure. At least 1 is used.
func Rounding(name string, round func(quota float64) int) Policy {
	return Policy{name, 1, round}
}

// String returns the policy's name.
func (p Policy) String() string { return p.name }

func ceil(quota float64) int  { return toProcs(math.Ceil(quota)) }
func floor(quota float64) int { return toProcs(math.Floor(quota)) }

// toProcs converts without the undefined result of a number out of range.
func toProcs(f float64) int { return int(min(f, math.MaxInt32)) }
