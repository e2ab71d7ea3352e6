package doctorcmd

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/grpcx-go/sdk/runtimex"
)

// checkRuntime lets runtimex tune this process and says what it did.
func (e *examination) checkRuntime() {
	t, err := e.host.tune()
	if err != nil {
		e.fail("runtime.apply", "runtimex.Apply", err.Error(), "set GOMAXPROCS and GOMEMLIMIT, and leave the tuning out with grpcx.Without(grpcx.RuntimeTuning)")
		return
	}
	e.Runtime = decisions{
		GOMAXPROCS: decided(t.with.GOMAXPROCS, t.without.GOMAXPROCS),
		GOMEMLIMIT: decided(t.with.GOMEMLIMIT, t.without.GOMEMLIMIT),
		GOGC:       decided(t.with.GOGC, t.without.GOGC),
	}
	e.checkProcs(t.with.GOMAXPROCS, t.without.GOMAXPROCS)
	e.checkMemory(t.with.GOMEMLIMIT, t.without.GOMEMLIMIT)
	e.checkGC(t.with, t.without)
	e.checkPressure(t.pressure)
}

func decided(with, without runtimex.Snapshot) decision {
	return decision{Value: with.Value, WithoutSDK: without.Value, Source: with.Source, Reason: with.Reason}
}

// decision is the finding where nothing is wrong with a setting.
func (e *examination) decision(id, name string, with, without runtimex.Snapshot) {
	value, before := with.String(), without.String()
	if name == "GOMEMLIMIT" && value != "off" {
		value += " (" + size(with.Value) + ")"
	}
	if with.Value != without.Value {
		value += ", and would be " + before + " without the SDK"
	}
	e.okf(id, "runtimex.Apply, "+string(with.Source), "%s is %s: %s", name, value, with.Reason)
}

func (e *examination) checkProcs(with, without runtimex.Snapshot) {
	const id, name = "runtime.gomaxprocs", "GOMAXPROCS"
	quota, all := e.Limits.CPUQuota, e.Limits.CPUs
	if all == 0 {
		all = e.host.machine.NumCPU
	}
	useful := all
	if quota > 0 {
		useful = min(all, max(2, int(math.Ceil(quota))))
	}
	switch {
	case with.Source == runtimex.SourceEnv && with.Value > int64(useful):
		text := fmt.Sprintf("GOMAXPROCS is %d by the environment, but there are %d CPUs", with.Value, all)
		if quota > 0 {
			text += " and a quota of " + cpus(quota) + "; above the quota threads are throttled"
		}
		e.warn(id, "GOMAXPROCS", text, fmt.Sprintf("unset GOMAXPROCS, which would make it %d", useful))
	case ignoredProcs(e.host.getenv(name)):
		e.warn(id, "GOMAXPROCS", fmt.Sprintf("GOMAXPROCS=%q is not a positive number, so the runtime ignores it and uses %d", e.host.getenv(name), with.Value),
			"unset it, or set it to a number")
	default:
		e.decision(id, name, with, without)
	}
}

func ignoredProcs(env string) bool {
	n, err := strconv.ParseInt(env, 10, 32)
	return env != "" && (err != nil || n <= 0)
}

func (e *examination) checkMemory(with, without runtimex.Snapshot) {
	const id = "runtime.gomemlimit"
	// A server of the SDK takes no less than this program.
	if used := e.host.memory(); with.Value < used {
		e.warn(id, "GOMEMLIMIT", fmt.Sprintf("GOMEMLIMIT is %s, less than the %s that this program alone takes: the collector hardly rests (%s)", size(with.Value), size(used), with.Reason),
			"raise the memory limit or GOMEMLIMIT; a small server needs 64 MiB")
		return
	}
	limit := e.Limits.Memory
	// Of the limit; above it, spikes and what the runtime does not count end
	// the process before the collector can help.
	const most = 0.95
	if limit > 0 && limit != runtimex.NoLimit && with.Source == runtimex.SourceEnv && float64(with.Value) > most*float64(limit) {
		value := "off"
		if with.Value != runtimex.NoLimit {
			value = size(with.Value)
		}
		e.warn(id, "GOMEMLIMIT", fmt.Sprintf("GOMEMLIMIT is %s by the environment, but the memory limit is %s: the kernel kills the process before the collector works harder", value, size(limit)),
			"unset GOMEMLIMIT, and the SDK keeps a headroom below the limit and follows it")
		return
	}
	e.decision(id, "GOMEMLIMIT", with, without)
}

func (e *examination) checkGC(with, without runtimex.Report) {
	const id = "runtime.gogc"
	env := e.host.getenv("GOGC")
	_, err := strconv.ParseInt(env, 10, 32)
	switch {
	case with.GOGC.Value == runtimex.GCOff && with.GOMEMLIMIT.Value == runtimex.NoLimit:
		e.fail(id, "GOGC", "GOGC is off and there is no memory limit: the heap grows until the process is killed",
			"unset GOGC, or set GOMEMLIMIT")
	case with.GOGC.Value == runtimex.GCOff:
		e.warn(id, "GOGC", "GOGC is off: the heap always fills the memory limit, and a spike above it ends the process",
			"unset GOGC, or use runtimex.WithMode(runtimex.Throughput)")
	case env != "" && env != "off" && err != nil:
		e.warn(id, "GOGC", fmt.Sprintf("GOGC=%q is not a number, so the runtime ignores it and uses %d", env, with.GOGC.Value), "unset it, or set it to a number or off")
	default:
		e.decision(id, "GOGC", with.GOGC, without.GOGC)
	}
}

// weakTLS are the settings of GODEBUG that make crypto/tls or crypto/x509 accept
// what they refuse for good reasons. See https://go.dev/doc/godebug.
var weakTLS = map[string]string{
	"tls10server": "1", "tls3des": "1", "tlsrsakex": "1", "tlsunsafeekm": "1", "tlssha1": "1",
	"rsa1024min": "0",
}

func (e *examination) checkGODEBUG() {
	const id = "runtime.godebug"
	env := e.host.getenv("GODEBUG")
	if env == "" {
		e.okf(id, "GODEBUG", "GODEBUG is not set")
		return
	}
	found := false
	for kv := range strings.SplitSeq(env, ",") {
		name, value, _ := strings.Cut(kv, "=")
		switch {
		case (name == "containermaxprocs" || name == "updatemaxprocs") && value == "0":
			found = true
			e.warn(id, "GODEBUG", "GODEBUG has "+kv+": GOMAXPROCS does not follow the CPU quota, and the SDK takes that for a wish",
				"take it out of GODEBUG, or use runtimex.OverrideEnv")
		case weakTLS[name] != "" && weakTLS[name] == value:
			found = true
			e.warn(id, "GODEBUG", "GODEBUG has "+kv+", which weakens TLS", "take it out of GODEBUG")
		}
	}
	if !found {
		e.okf(id, "GODEBUG", "GODEBUG is %q", env)
	}
}
