package runtimex

import "time"

// Pressure is how hard the limits of the process's own control group bite: what
// its statistics counted since the group was made, for all its processes and
// groups below. Differences between two reads are what to look at. A statistic
// that the kernel does not keep is zero.
type Pressure struct {
	// CPU is cpu.stat.
	CPU CPUPressure `json:"cpu"`
	// Memory is memory.events.
	Memory MemoryPressure `json:"memory"`
	// CPUStall, MemoryStall and IOStall are pressure stall information: cpu.pressure,
	// memory.pressure and io.pressure of the group's cgroup v2 hierarchy.
	// See https://docs.kernel.org/accounting/psi.html.
	CPUStall    Stall `json:"cpu_stall"`
	MemoryStall Stall `json:"memory_stall"`
	IOStall     Stall `json:"io_stall"`
}

// CPUPressure counts the enforcement of the group's own CPU quota; an
// ancestor's quota throttles without being counted here. See
// https://docs.kernel.org/scheduler/sched-bwc.html#statistics.
type CPUPressure struct {
	// Periods is in how many enforcement intervals the group ran (nr_periods).
	Periods uint64 `json:"periods"`
	// Throttled is in how many of them it used its quota up (nr_throttled).
	Throttled uint64 `json:"throttled"`
	// ThrottledTime is how long the group's CPUs were held back in total, the
	// sum over all CPUs (throttled_usec, with v1 throttled_time).
	ThrottledTime time.Duration `json:"throttled_time_ns"`
}

// MemoryPressure counts the enforcement of memory limits. See
// https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files.
type MemoryPressure struct {
	// High is how often processes were throttled to reclaim because the group
	// was above memory.high. Always zero with v1.
	High uint64 `json:"high"`
	// Max is how often the group was about to go above memory.max; with v1,
	// memory.failcnt.
	Max uint64 `json:"max"`
	// OOM is how often an allocation was about to fail. Always zero with v1.
	OOM uint64 `json:"oom"`
	// OOMKill is how many processes the out-of-memory killer ended; with v1,
	// oom_kill of memory.oom_control.
	OOMKill uint64 `json:"oom_kill"`
}

// Stall is for how much of the time work waited for a resource.
type Stall struct {
	// Present is set when the kernel reports stalls of the resource.
	Present bool `json:"present"`
	// Some is the time when at least one task waited, Full when all did.
	Some StallTime `json:"some"`
	Full StallTime `json:"full"`
}

// StallTime is a share of time: percent, from 0 to 100, of the last 10, 60 and
// 300 seconds, and the total.
type StallTime struct {
	Avg10  float64       `json:"avg10"`
	Avg60  float64       `json:"avg60"`
	Avg300 float64       `json:"avg300"`
	Total  time.Duration `json:"total_ns"`
}
