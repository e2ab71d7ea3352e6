package runtimex

import (
	"log/slog"
	"math"
	"strconv"
)

// Values with a meaning of their own, spelled "off" by [Snapshot.String], in
// logs and in the environment.
const (
	// NoLimit is the value of GOMEMLIMIT when there is no memory limit. It is
	// the number that [runtime/debug.SetMemoryLimit] takes and returns for it.
	NoLimit int64 = math.MaxInt64
	// GCOff is the value of GOGC when the heap's growth starts no collection.
	// The memory limit, if there is one, still does.
	GCOff int64 = -1
)

// Source says where the value of a [Snapshot] came from.
type Source string

const (
	// SourceEnv is a value that the environment variable of the same name
	// asked for when the process started.
	SourceEnv Source = "env"
	// SourceRuntime is a value that the Go runtime chose itself.
	SourceRuntime Source = "runtime"
	// SourceCode is a value that the program set while it ran, through
	// package runtime or runtime/debug.
	SourceCode Source = "code"
	// SourceCgroup is a value that follows from the limit of a control group.
	SourceCgroup Source = "cgroup"
	// SourceProvider is a value that follows from the limit of a [Provider].
	SourceProvider Source = "provider"
	// SourceOption is a value that an option of [Apply] asked for.
	SourceOption Source = "option"
)

// Snapshot is one setting of the runtime at one moment. It is a plain value
// that nothing updates: take another to see a change. The zero Snapshot
// describes nothing and is never returned by this package.
type Snapshot struct {
	// Value is in the unit of its setting: threads for GOMAXPROCS, bytes for
	// GOMEMLIMIT (or NoLimit), percent for GOGC (or GCOff).
	Value int64 `json:"value"`
	// Source is where the value came from.
	Source Source `json:"source"`
	// Reason is one English clause for people, without a full stop. Its
	// wording may change between releases.
	Reason string `json:"reason"`
	// Levels are the control groups whose limits were weighed, the process's
	// own first; none where no control group played a part. They are shared:
	// do not write to them.
	Levels []Level `json:"levels,omitempty"`
}

// String returns the value as the environment variable spells it: decimal
// digits without a unit, or "off" for [NoLimit] and [GCOff].
func (s Snapshot) String() string {
	if s.off() {
		return "off"
	}
	return strconv.FormatInt(s.Value, 10)
}

// LogValue implements [slog.LogValuer] as a group of value (a number, or the
// string "off"), source and reason.
func (s Snapshot) LogValue() slog.Value {
	value := slog.Int64("value", s.Value)
	if s.off() {
		value = slog.String("value", s.String())
	}
	return slog.GroupValue(value,
		slog.String("source", string(s.Source)),
		slog.String("reason", s.Reason))
}

func (s Snapshot) off() bool { return s.Value == NoLimit || s.Value == GCOff }
