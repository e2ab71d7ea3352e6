package parse

import "bytes"

var unlimited = []byte("max")

// CPUMax reads cpu.max of cgroup v2, "200000 100000\n" or "max 100000\n", and
// returns the bandwidth in CPUs, or 0 where there is no limit.
//
// https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
func CPUMax(data []byte) (float64, error) {
	const want = `"<quota> <period>" or "max <period>" in microseconds, and a newline`
	line, complete := firstLine(data)
	quotaText, periodText, two := bytes.Cut(line, []byte{' '})
	period, ok := positive(periodText)
	if !complete || !two || !ok {
		return 0, malformed(data, want)
	}
	if bytes.Equal(quotaText, unlimited) {
		return 0, nil
	}
	quota, ok := positive(quotaText)
	if !ok {
		return 0, malformed(data, want)
	}
	return float64(quota) / float64(period), nil
}

// CFSQuota reads cpu.cfs_quota_us of cgroup v1 in microseconds per period, or 0
// where there is no limit, which the kernel writes as -1.
//
// https://docs.kernel.org/scheduler/sched-bwc.html
func CFSQuota(data []byte) (int64, error) {
	line, complete := firstLine(data)
	if complete && string(line) == "-1" {
		return 0, nil
	}
	quota, ok := positive(line)
	if !complete || !ok {
		return 0, malformed(data, "a positive number of microseconds or -1, and a newline")
	}
	return quota, nil
}

// CFSPeriod reads cpu.cfs_period_us of cgroup v1 in microseconds.
func CFSPeriod(data []byte) (int64, error) {
	line, complete := firstLine(data)
	period, ok := positive(line)
	if !complete || !ok {
		return 0, malformed(data, "a positive number of microseconds, and a newline")
	}
	return period, nil
}
