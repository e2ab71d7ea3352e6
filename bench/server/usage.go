package server

import (
	"runtime"
	"time"
)

// Usage is what a process used since it started.
type Usage struct {
	CPU    time.Duration `json:"cpu"`    // user and system time
	Allocs uint64        `json:"allocs"` // heap objects allocated
	Bytes  uint64        `json:"bytes"`  // and their size
	// InUse is the size of the heap and the stacks at this moment; the
	// difference of two readings can be negative.
	InUse int64 `json:"in_use"`
}

func readUsage() (Usage, error) {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	cpu, err := cpuTime()
	return Usage{
		CPU: cpu, Allocs: mem.Mallocs, Bytes: mem.TotalAlloc,
		InUse: int64(mem.HeapAlloc + mem.StackInuse),
	}, err
}

// Minus returns what was used since before.
func (u Usage) Minus(before Usage) Usage {
	return Usage{u.CPU - before.CPU, u.Allocs - before.Allocs, u.Bytes - before.Bytes, u.InUse - before.InUse}
}

// Plus adds two differences.
func (u Usage) Plus(other Usage) Usage {
	return Usage{u.CPU + other.CPU, u.Allocs + other.Allocs, u.Bytes + other.Bytes, u.InUse + other.InUse}
}
