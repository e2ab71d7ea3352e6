package runtimex

import (
	"fmt"
	"math"
	"runtime"
	"strings"
)

// procsKnob decides GOMAXPROCS.
//
// The runtime follows the quota of the process's own control group by itself
// until somebody calls runtime.GOMAXPROCS(n). So that call is made only where
// the runtime arrives at another number than the one that is wanted, and taken
// back with runtime.SetDefaultGOMAXPROCS once the two agree.
type procsKnob struct {
	cfg      *config
	rt       goruntime
	native   native
	provided Limits

	fixed *Snapshot // not ours to tune, and why

	prev        int  // before Apply
	prevDefault bool // the runtime had chosen it
	bound       int  // set by the program before Apply; 0: not
	startDir    string
	startCPU    bool // the runtime found a quota file at its start

	ours     bool // set by us, so that the runtime no longer follows
	touched  bool // anything was set
	byOthers bool // the program set another value after Apply

	last, lastNative int // at the last look
	refused          int // the runtime should have come to this number, and did not
}

// newProcsKnob looks at what there is before anything is changed.
func newProcsKnob(cfg *config, rt goruntime, env environment, n native, provided Limits, l Limits) *procsKnob {
	k := &procsKnob{cfg: cfg, rt: rt, native: n, provided: provided, prev: rt.procs()}
	k.last = k.prev
	if leaf, ok := cpuLeaf(l); ok {
		k.startDir, k.startCPU = leaf.Dir, leaf.HasCPU
	}
	k.lastNative = k.nativeProcs(l)
	set := env.setProcs() > 0
	// What the runtime chose when the process started is still its choice, even
	// if it would choose otherwise now: when idle it looks late.
	k.prevDefault = !set && (k.prev == k.lastNative || k.prev == env.procsAtStart)
	if !k.prevDefault && !set && !cfg.override {
		k.bound = k.prev
	}
	switch {
	case cfg.off[GOMAXPROCS]:
		k.fixed = &Snapshot{Source: SourceOption, Reason: "Without(GOMAXPROCS)"}
	case cfg.override:
	case set: // the environment did
		s := maxProcs(int64(k.prev), env.maxProcs)
		k.fixed = &s
	case n.env != "":
		k.fixed = &Snapshot{Source: SourceEnv, Reason: "GODEBUG=" + n.env + " in the environment"}
	}
	return k
}

// cpuLeaf is the process's own group of the cpu controller: where the runtime
// looks.
func cpuLeaf(l Limits) (Level, bool) {
	if len(l.Levels) == 0 {
		return Level{}, false
	}
	return l.Levels[0], true
}

// nativeProcs is the number that the runtime chooses by its own rules, or 0
// when that is not known.
func (k *procsKnob) nativeProcs(l Limits) int {
	n := cpus(l)
	if !k.native.quota || !k.startCPU {
		return n
	}
	leaf, ok := cpuLeaf(l)
	if !ok || leaf.Dir != k.startDir {
		return 0 // it keeps reading the group that the process was in
	}
	if leaf.CPUQuota > 0 {
		n = min(n, max(2, ceil(leaf.CPUQuota)))
	}
	return n
}

func cpus(l Limits) int {
	if l.CPUs > 0 {
		return l.CPUs
	}
	return runtime.NumCPU()
}

// want is the number to have, where it comes from and why.
func (k *procsKnob) want(l Limits) (int, Source, string) {
	all := cpus(l)
	quota, source, from := l.CPUQuota, SourceCgroup, ""
	if p := k.provided.CPUQuota; p > 0 && (quota == 0 || p < quota) {
		quota, source, from = p, SourceProvider, " of the provider"
	} else if quota > 0 {
		for _, level := range l.Levels {
			if level.CPUQuota == quota {
				from = " of " + level.Path
				break
			}
		}
	}
	var n int
	var reason string
	switch {
	case quota > 0:
		n = k.cfg.policy.round(quota)
		reason = fmt.Sprintf("CPU quota %s%s, policy %s", cpuText(quota), from, k.cfg.policy)
	case k.cfg.request > 0:
		n, source = ceil(k.cfg.request), SourceOption
		reason = fmt.Sprintf("no CPU quota, and a request of %s CPUs", cpuText(k.cfg.request))
	default:
		n, source = all, SourceRuntime
		reason = fmt.Sprintf("no CPU quota, and %d CPUs", all)
		if k.bound > 0 && (k.cfg.max == 0 || k.bound <= k.cfg.max) {
			return k.bound, SourceCode, "set by the program before Apply, and there is no CPU quota"
		}
	}
	least := k.cfg.policy.min
	if k.cfg.min > 0 {
		least = k.cfg.min
	}
	if n < least {
		n = least
		reason += fmt.Sprintf(", at least %d", least)
	}
	if m := k.cfg.max; m > 0 && n > m {
		n, source = m, SourceOption
		reason += fmt.Sprintf(", at most %d as WithMaxProcs says", m)
	}
	if n > all {
		n = all
		reason += fmt.Sprintf(", no more than the %d CPUs of the affinity mask", all)
	}
	if k.bound > 0 && n > k.bound {
		n, source = k.bound, SourceCode
		reason += fmt.Sprintf(", no more than the %d that the program set before Apply", k.bound)
	}
	return max(n, 1), source, reason
}

// unreadText is the clause for what could not be read, if there was anything:
// "no limit" would be too much said.
func unreadText(err error) string {
	if err == nil {
		return ""
	}
	first, more, _ := strings.Cut(err.Error(), "\n")
	if more != "" {
		first += fmt.Sprintf(" (and %d more)", 1+strings.Count(more, "\n"))
	}
	return "; but not everything can be read: " + first
}

// cpuText prints a number of CPUs without the noise of a division.
func cpuText(cpus float64) string {
	return fmt.Sprintf("%g", math.Round(cpus*1000)/1000)
}

// tune makes GOMAXPROCS what it should be and says what it is. What could not be
// read is said too.
func (k *procsKnob) tune(l Limits, unread error) Snapshot {
	now := k.rt.procs()
	if k.fixed != nil {
		s := *k.fixed
		s.Value = int64(now)
		return s
	}
	want, source, reason := k.want(l)
	reason += unreadText(unread)
	native := k.nativeProcs(l)
	// A value that neither we nor the runtime can have chosen was set by the
	// program, which is to have its way for as long as it stays.
	if now == want {
		k.byOthers = false
	} else if now != k.last && now != native && now != k.lastNative {
		k.byOthers = true
	}
	k.last, k.lastNative = now, native
	if k.byOthers {
		return Snapshot{Value: int64(now), Source: SourceCode,
			Reason: fmt.Sprintf("set by the program after Apply, which would use %d: %s", want, reason)}
	}
	agree := native == want && k.refused != native
	switch {
	case now == want && (k.ours != agree || want == k.bound):
		// Nothing to do: the runtime follows by itself, or we have to.
	case agree:
		// The runtime has not noticed yet, or can have it back.
		k.rt.setDefaultProcs()
		k.touched, k.ours = true, false
		if k.rt.procs() != want {
			k.refused = native
			k.set(want)
		}
	default:
		k.set(want)
	}
	k.last = want
	if leaf, _ := cpuLeaf(l); !k.ours && want == native && source == SourceCgroup {
		source = SourceRuntime
		reason += "; the runtime uses the same"
		if k.native.updates && leaf.CPUQuota == l.CPUQuota {
			reason += " and follows it by itself"
		}
	}
	return Snapshot{Value: int64(want), Source: source, Reason: reason, Levels: l.Levels}
}

func (k *procsKnob) set(n int) {
	k.touched, k.ours = true, true
	if k.cfg.policy.name == policyFloor {
		setFloor(k.rt, n)
		return
	}
	k.rt.setProcs(n)
}

// undo puts back what was there before Apply, unless the program has set
// something else since.
func (k *procsKnob) undo(l Limits) {
	switch now := k.rt.procs(); {
	case !k.touched || k.byOthers || !k.ours && k.prevDefault:
		// There is nothing of ours.
	case now != k.last && (k.ours || now != k.nativeProcs(l)):
		// Changed since the last look, and neither by us nor by the runtime.
	case k.prevDefault:
		k.rt.setDefaultProcs()
	default:
		k.rt.setProcs(k.prev)
	}
}
