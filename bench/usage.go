package bench

import (
	"runtime"
	"time"
)

// Usage is what a server process used.
type Usage struct {
	CPU    time.Duration // user and system time
	Allocs uint64        // heap objects allocated
	Bytes  uint64        // and their size
}

// readUsage returns what this process has used since it started.
func readUsage() (Usage, error) {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	cpu, err := cpuTime()
	return Usage{CPU: cpu, Allocs: mem.Mallocs, Bytes: mem.TotalAlloc}, err
}

func (u Usage) minus(before Usage) Usage {
	return Usage{u.CPU - before.CPU, u.Allocs - before.Allocs, u.Bytes - before.Bytes}
}

// Sample is the usage of a number of calls.
type Sample struct {
	Usage

	Calls int
}

// Add puts another sample of the same stack and workload to s.
func (s *Sample) Add(other Sample) {
	s.CPU += other.CPU
	s.Allocs += other.Allocs
	s.Bytes += other.Bytes
	s.Calls += other.Calls
}

// CPUPerCall is in nanoseconds.
func (s Sample) CPUPerCall() float64 { return float64(s.CPU) / float64(s.Calls) }

// AllocsPerCall is the number of heap objects.
func (s Sample) AllocsPerCall() float64 { return float64(s.Allocs) / float64(s.Calls) }

// BytesPerCall is the size of the heap objects.
func (s Sample) BytesPerCall() float64 { return float64(s.Bytes) / float64(s.Calls) }
