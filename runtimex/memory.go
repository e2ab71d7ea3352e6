package runtimex

import "fmt"

const (
	maxSmallHeadroom = 32 << 20
	// leastShare is the part of the limit that stays for the heap, whatever
	// the reserve, as its inverse: below it the collector would never rest.
	leastShare = 10
)

// headroom is what to keep between the limit of the runtime and that of the
// control group, for what the runtime does not count and for spikes between two
// collections: a tenth, and for small limits 32 MiB but no more than a fifth.
func headroom(limit int64) int64 {
	return max(limit/10, min(maxSmallHeadroom, limit/5))
}

// memoryKnob decides GOMEMLIMIT.
type memoryKnob struct {
	cfg      *config
	rt       goruntime
	provided Limits
	env      environment

	fixed bool // by the environment
	prev  int64

	last     int64 // at the last look
	touched  bool
	byOthers bool // the program set another value after Apply
}

func newMemoryKnob(cfg *config, rt goruntime, env environment, provided Limits) *memoryKnob {
	now := rt.memLimit()
	return &memoryKnob{
		cfg: cfg, rt: rt, provided: provided, env: env, prev: now, last: now,
		fixed: env.memLimit != "" && !cfg.override,
	}
}

// want is the limit to have, where it comes from and why. The error says that
// the reserve does not fit.
func (k *memoryKnob) want(l Limits) (value int64, source Source, reason string, err error) {
	limit, source, from := l.Memory, SourceCgroup, ""
	if p := k.provided.Memory; p > 0 && p < limit {
		limit, source, from = p, SourceProvider, "the provider's limit"
	}
	if limit == NoLimit || limit <= 0 {
		s := memLimit(k.prev, k.env.memLimit)
		if s.Source == SourceRuntime {
			s.Reason = "there is no memory limit, and GOMEMLIMIT is not set"
		}
		return k.prev, s.Source, s.Reason, nil
	}
	if from == "" {
		from = memoryFrom(l)
	}
	room := headroom(limit)
	if k.cfg.ratio > 0 {
		room = limit - int64(float64(limit)*k.cfg.ratio)
	}
	value = limit - room - k.cfg.reserve
	reason = fmt.Sprintf("%s of %s less %s headroom", from, bytesText(limit), bytesText(room))
	if k.cfg.reserve > 0 {
		reason += " and a reserve of " + bytesText(k.cfg.reserve)
	}
	if least := limit / leastShare; value < least {
		value = least
		err = &OptionError{fmt.Sprintf("WithReserve(%d)", k.cfg.reserve),
			fmt.Errorf("%s leaves less than a tenth for the heap; lower the reserve or raise the limit", reason)}
	}
	if k.prev < value && !k.cfg.override {
		value, source = k.prev, SourceCode
		reason = "set by the program before Apply, and lower than " + reason
	}
	return value, source, reason, err
}

// memoryFrom names the limit that binds.
func memoryFrom(l Limits) string {
	for _, level := range l.Levels {
		switch {
		case level.MemoryHigh == l.Memory:
			return "memory.high of " + level.Path
		case level.MemoryMax == l.Memory && level.Version == 1:
			return "memory.limit_in_bytes of " + level.Path
		case level.MemoryMax == l.Memory:
			return "memory.max of " + level.Path
		}
	}
	if l.Memory == l.MemoryTotal {
		return "the machine's memory, which is below the control group's limit,"
	}
	return "the memory limit of an ancestor"
}

func bytesText(n int64) string {
	return fmt.Sprintf("%.4g MiB", float64(n)/(1<<20))
}

// tune makes the memory limit what it should be and says what it is.
func (k *memoryKnob) tune(l Limits, unread error) (Snapshot, error) {
	now := k.rt.memLimit()
	switch {
	case k.cfg.off[GOMEMLIMIT]:
		return Snapshot{Value: now, Source: SourceOption, Reason: "Without(GOMEMLIMIT)"}, nil
	case k.fixed:
		return memLimit(now, k.env.memLimit), nil
	}
	want, source, reason, err := k.want(l)
	reason += unreadText(unread)
	if now == want {
		k.byOthers = false
	} else if now != k.last {
		k.byOthers = true
	}
	k.last = now
	if k.byOthers {
		return Snapshot{Value: now, Source: SourceCode,
			Reason: fmt.Sprintf("set by the program after Apply, which would use %s: %s", bytesText(want), reason)}, err
	}
	if now != want {
		k.rt.setMemLimit(want)
		k.last, k.touched = want, true
		if want < now && k.rt.inUse() > want {
			// The limit has to be met now, and not at the pace of the scavenger.
			k.rt.freeOSMemory()
		}
	}
	return Snapshot{Value: want, Source: source, Reason: reason, Levels: l.Levels}, err
}

// undo puts back what was there before Apply, unless the program has set
// something else since.
func (k *memoryKnob) undo() {
	if k.touched && !k.byOthers && k.rt.memLimit() == k.last {
		k.rt.setMemLimit(k.prev)
	}
}
