package runtimex

import (
	"log/slog"
	"os"
	"runtime"
	"runtime/metrics"
)

// Report is what the runtime of this process decided, at one moment. It is a
// plain value, safe to copy, to keep and to share. It encodes to JSON, where
// the "value" of an absent memory limit is the number [NoLimit], and logs as
// one slog group.
type Report struct {
	// GOMAXPROCS is how many operating system threads run Go code at once.
	GOMAXPROCS Snapshot `json:"gomaxprocs"`
	// GOMEMLIMIT is the soft memory limit in bytes, or NoLimit.
	GOMEMLIMIT Snapshot `json:"gomemlimit"`
	// GOGC is the heap growth in percent that starts a collection, or GCOff.
	GOGC Snapshot `json:"gogc"`

	// NumCPU is how many logical CPUs the process could use when it started.
	// It reflects the affinity mask but no cgroup quota.
	NumCPU int `json:"num_cpu"`
	// PageSize is the memory page size in bytes: 4096 almost everywhere, up
	// to 65536 on some arm64 kernels, where memory is returned to the system
	// in coarser pieces.
	PageSize int `json:"page_size"`
	// GOOS, GOARCH and GoVersion identify the build, as package runtime
	// spells them.
	GOOS      string `json:"goos"`
	GOARCH    string `json:"goarch"`
	GoVersion string `json:"go_version"`
}

// Current reports what the runtime uses now. It changes nothing, cannot fail,
// and is safe for concurrent use. It takes about a microsecond and stops no
// goroutine (BenchmarkCurrent), which is cheap enough for every scrape of a
// metrics page and too much for every RPC.
func Current() Report {
	// The metrics are read instead of asking debug.SetMemoryLimit and
	// debug.SetGCPercent, because the latter has no form that only reads.
	samples := [...]metrics.Sample{
		{Name: "/sched/gomaxprocs:threads"},
		{Name: "/gc/gomemlimit:bytes"},
		{Name: "/gc/gogc:percent"},
	}
	metrics.Read(samples[:])
	r := Report{
		GOMAXPROCS: maxProcs(signed(samples[0]), startEnv.maxProcs),
		GOMEMLIMIT: memLimit(signed(samples[1]), startEnv.memLimit),
		GOGC:       gcPercent(signed(samples[2]), startEnv.gcPercent),
		NumCPU:     runtime.NumCPU(),
		PageSize:   os.Getpagesize(),
		GOOS:       runtime.GOOS,
		GOARCH:     runtime.GOARCH,
		GoVersion:  runtime.Version(),
	}
	if d := decided.Load(); d != nil {
		r.GOMAXPROCS = d.procs.unless(r.GOMAXPROCS)
		r.GOMEMLIMIT = d.memory.unless(r.GOMEMLIMIT)
		r.GOGC = d.gc.unless(r.GOGC)
	}
	return r
}

// unless returns the decision s, or now if the value has changed since.
func (s Snapshot) unless(now Snapshot) Snapshot {
	if s.Value == now.Value {
		return s
	}
	return now
}

// LogValue implements [slog.LogValuer] as a group with one nested group per
// setting and one attribute per fact about the machine and the build.
func (r Report) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Any("gomaxprocs", r.GOMAXPROCS),
		slog.Any("gomemlimit", r.GOMEMLIMIT),
		slog.Any("gogc", r.GOGC),
		slog.Int("num_cpu", r.NumCPU),
		slog.Int("page_size", r.PageSize),
		slog.String("goos", r.GOOS),
		slog.String("goarch", r.GOARCH),
		slog.String("go_version", r.GoVersion))
}

// signed undoes the runtime's conversion: it publishes these three as
// unsigned numbers, GOGC=off as the two's complement of -1.
func signed(s metrics.Sample) int64 { return int64(s.Value.Uint64()) }
