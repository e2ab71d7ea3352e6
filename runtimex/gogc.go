package runtimex

import "fmt"

const (
	throughputGOGC      = 400
	throughputSmallGOGC = 200
	smallLimit          = 224 << 20 // the memory limit of a container of 256 MiB
	compactGOGC         = 50
)

// gcKnob decides GOGC.
type gcKnob struct {
	cfg *config
	rt  goruntime
	env environment

	fixed *Snapshot
	prev  int64

	last     int64
	touched  bool
	byOthers bool
}

func newGCKnob(cfg *config, rt goruntime, env environment) *gcKnob {
	now := rt.gcPercent()
	k := &gcKnob{cfg: cfg, rt: rt, env: env, prev: now, last: now}
	switch s := gcPercent(now, env.gcPercent); {
	case cfg.off[GOGC]:
		k.fixed = &Snapshot{Source: SourceOption, Reason: "Without(GOGC)"}
	case cfg.mode == Balanced, s.Source != SourceRuntime && !cfg.override:
		k.fixed = &s
	}
	return k
}

// want is the percentage to have and why, given the memory limit of the runtime.
func (k *gcKnob) want(memory int64) (int64, Source, string) {
	switch {
	case k.cfg.mode == Compact:
		return compactGOGC, SourceOption, "compact mode"
	case memory == NoLimit:
		return k.prev, SourceRuntime, "throughput mode needs a memory limit, and there is none: set one, or GOMEMLIMIT"
	case memory < smallLimit:
		return throughputSmallGOGC, SourceOption, "throughput mode with a small memory limit, " + bytesText(memory)
	default:
		return throughputGOGC, SourceOption, "throughput mode with a memory limit of " + bytesText(memory)
	}
}

// tune makes GOGC what it should be and says what it is.
func (k *gcKnob) tune(memory int64) Snapshot {
	now := k.rt.gcPercent()
	if k.fixed != nil {
		if k.cfg.mode == Balanced && !k.cfg.off[GOGC] {
			return gcPercent(now, k.env.gcPercent)
		}
		s := *k.fixed
		s.Value = now
		return s
	}
	want, source, reason := k.want(memory)
	if now == want {
		k.byOthers = false
	} else if now != k.last {
		k.byOthers = true
	}
	k.last = now
	if k.byOthers {
		return Snapshot{Value: now, Source: SourceCode,
			Reason: fmt.Sprintf("set by the program after Apply, which would use %d: %s", want, reason)}
	}
	if now != want {
		k.rt.setGCPercent(want)
		k.last, k.touched = want, true
	}
	return Snapshot{Value: want, Source: source, Reason: reason}
}

// undo puts back what was there before Apply, unless the program has set
// something else since.
func (k *gcKnob) undo() {
	if k.touched && !k.byOthers && k.rt.gcPercent() == k.last {
		k.rt.setGCPercent(k.prev)
	}
}
