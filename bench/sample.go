package bench

import (
	"slices"
	"time"

	"github.com/grpcx-go/sdk/bench/server"
)

// Sample is what a server process used for a number of calls.
type Sample struct {
	server.Usage

	Calls     int
	Latencies []time.Duration // of a paced load, one per call
}

// Add puts another sample of the same stack and load to s.
func (s *Sample) Add(other Sample) {
	s.Usage = s.Plus(other.Usage)
	s.Calls += other.Calls
	s.Latencies = append(s.Latencies, other.Latencies...)
}

// CPUPerCall is in nanoseconds.
func (s Sample) CPUPerCall() float64 { return float64(s.CPU) / float64(s.Calls) }

// AllocsPerCall is the number of heap objects.
func (s Sample) AllocsPerCall() float64 { return float64(s.Allocs) / float64(s.Calls) }

// BytesPerCall is the size of the heap objects.
func (s Sample) BytesPerCall() float64 { return float64(s.Bytes) / float64(s.Calls) }

// InUsePerCall is the heap and stack in bytes that stay in use.
func (s Sample) InUsePerCall() float64 { return float64(s.InUse) / float64(s.Calls) }

// Latency returns a quantile in microseconds, by the nearest rank.
func (s Sample) Latency(quantile float64) float64 {
	if len(s.Latencies) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s.Latencies))
	rank := int(quantile*float64(len(sorted))+0.5) - 1
	return float64(sorted[min(max(rank, 0), len(sorted)-1)]) / float64(time.Microsecond)
}
