package runtimex

import "go.uber.org/automaxprocs/maxprocs"

// setFloor sets GOMAXPROCS through automaxprocs. It rounds down as that does,
// but what the rounding returns is our number: the tightest of all levels, where
// automaxprocs reads one, and kept within the CPUs that there are, where
// automaxprocs exceeds them. Its undo is not used, since it would leave the
// runtime's own tracking switched off.
func setFloor(rt goruntime, n int) {
	if _, live := rt.(liveRuntime); live {
		_, err := maxprocs.Set(maxprocs.Min(1), maxprocs.RoundQuotaFunc(func(float64) int { return n }))
		if err == nil && rt.procs() == n {
			return
		}
	}
	// It sees no quota where only an ancestor has one, nothing outside Linux,
	// and does nothing when GOMAXPROCS is set but empty.
	rt.setProcs(n)
}
