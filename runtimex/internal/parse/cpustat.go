package parse

import (
	"math"
	"time"
)

// CPUStat is what cpu.stat says about bandwidth.
type CPUStat struct {
	Periods, Throttled uint64
	ThrottledTime      time.Duration
}

// ReadCPUStat reads cpu.stat of either cgroup version: v1 counts the time in
// nanoseconds, v2 in microseconds. A group without a bandwidth controller has
// none of the three, which is no error.
//
// https://docs.kernel.org/scheduler/sched-bwc.html#statistics
func ReadCPUStat(data []byte) (CPUStat, error) {
	var s CPUStat
	err := Flat(data, func(key []byte, value uint64) {
		switch string(key) {
		case "nr_periods":
			s.Periods = value
		case "nr_throttled":
			s.Throttled = value
		case "throttled_usec":
			s.ThrottledTime = duration(value, time.Microsecond)
		case "throttled_time":
			s.ThrottledTime = duration(value, time.Nanosecond)
		}
	})
	return s, err
}

// duration is n units, or the longest duration where that does not fit.
func duration(n uint64, unit time.Duration) time.Duration {
	if n > uint64(math.MaxInt64/unit) {
		return math.MaxInt64
	}
	return time.Duration(n) * unit
}
