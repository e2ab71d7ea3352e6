package runtimex

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// defaultGCPercent is what the runtime uses when GOGC says nothing.
const defaultGCPercent = 100

// environment holds the variables as the runtime found them, and the GOMAXPROCS
// that it began with.
type environment struct {
	maxProcs, memLimit, gcPercent, godebug string

	procsAtStart int
}

// startEnv is read while the program initialises, since the runtime never
// looks again: what os.Setenv does later must not be mistaken for its choice.
// An absent variable and an empty one mean the same to the runtime.
var startEnv = environment{
	maxProcs:  os.Getenv("GOMAXPROCS"),
	memLimit:  os.Getenv("GOMEMLIMIT"),
	gcPercent: os.Getenv("GOGC"),
	godebug:   os.Getenv("GODEBUG"),

	procsAtStart: runtime.GOMAXPROCS(0),
}

// setProcs is what GOMAXPROCS asks for, or 0 when the runtime ignores it.
func (e environment) setProcs() int {
	// As runtime.schedinit: what is no positive 32-bit number is ignored.
	n, err := strconv.ParseInt(e.maxProcs, 10, 32)
	if err != nil || n <= 0 {
		return 0
	}
	return int(n)
}

// maxProcs explains a GOMAXPROCS of value, given the variable env.
func maxProcs(value int64, env string) Snapshot {
	switch n := int64(environment{maxProcs: env}.setProcs()); {
	case n > 0 && n == value:
		return fromEnv(value, "GOMAXPROCS", env)
	case n > 0:
		return fromCode(value, "runtime.GOMAXPROCS or runtime.SetDefaultGOMAXPROCS", "GOMAXPROCS", env)
	}
	reason := "CPU count, affinity and cgroup quota, unless the program called runtime.GOMAXPROCS"
	if env != "" {
		reason += "; GOMAXPROCS=" + strconv.Quote(env) + " in the environment is not a positive number and was ignored"
	}
	return Snapshot{Value: value, Source: SourceRuntime, Reason: reason}
}

// memLimit explains a GOMEMLIMIT of value, given the variable env.
func memLimit(value int64, env string) Snapshot {
	want := NoLimit
	if env != "" && env != "off" {
		// A malformed value ends the process before any Go code runs.
		want, _ = parseByteCount(env)
	}
	switch {
	case value != want:
		return fromCode(value, "debug.SetMemoryLimit", "GOMEMLIMIT", env)
	case env != "":
		return fromEnv(value, "GOMEMLIMIT", env)
	}
	return Snapshot{Value: value, Source: SourceRuntime, Reason: "GOMEMLIMIT is not set, and the default is no limit"}
}

// gcPercent explains a GOGC of value, given the variable env.
func gcPercent(value int64, env string) Snapshot {
	want, valid := int64(defaultGCPercent), false
	if env == "off" {
		want, valid = GCOff, true
	} else if n, err := strconv.ParseInt(env, 10, 32); err == nil {
		want, valid = max(n, GCOff), true // every negative number is off
	}
	switch {
	case value != want:
		return fromCode(value, "debug.SetGCPercent", "GOGC", env)
	case valid:
		return fromEnv(value, "GOGC", env)
	}
	reason := "GOGC is not set, and the default is 100"
	if env != "" {
		reason = "GOGC=" + strconv.Quote(env) + " in the environment is not a number and was ignored; the default is 100"
	}
	return Snapshot{Value: value, Source: SourceRuntime, Reason: reason}
}

func fromEnv(value int64, name, env string) Snapshot {
	return Snapshot{Value: value, Source: SourceEnv, Reason: name + "=" + env + " in the environment"}
}

func fromCode(value int64, call, name, env string) Snapshot {
	start := name + " was not set in the environment"
	if env != "" {
		start = fmt.Sprintf("the environment says %s=%s", name, env)
	}
	return Snapshot{Value: value, Source: SourceCode, Reason: "set by the program with " + call + "; " + start}
}

// parseByteCount reads a number of bytes as the runtime reads GOMEMLIMIT: a
// decimal number that fits int64 and is not negative, with an optional suffix
// B, KiB, MiB, GiB or TiB, each a power of 1024.
func parseByteCount(s string) (n int64, ok bool) {
	shift := 0
	if digits, found := strings.CutSuffix(s, "B"); found {
		s = digits
		for i, prefix := range []string{"Ki", "Mi", "Gi", "Ti"} {
			if digits, found := strings.CutSuffix(s, prefix); found {
				s, shift = digits, 10*(i+1)
				break
			}
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return 0, false
	}
	return n << shift, true
}
