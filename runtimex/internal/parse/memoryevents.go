package parse

import "bytes"

// MemoryEvents are the counters of memory.events (cgroup v2).
type MemoryEvents struct {
	High, Max, OOM, OOMKill uint64
}

// ReadMemoryEvents reads memory.events of cgroup v2, and oom_kill of
// memory.oom_control, its closest relative in v1.
//
// https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
func ReadMemoryEvents(data []byte) (MemoryEvents, error) {
	var e MemoryEvents
	err := Flat(data, func(key []byte, value uint64) {
		switch string(key) {
		case "high":
			e.High = value
		case "max":
			e.Max = value
		case "oom":
			e.OOM = value
		case "oom_kill":
			e.OOMKill = value
		}
	})
	return e, err
}

// Counter reads a file that holds one number, such as memory.failcnt of v1.
func Counter(data []byte) (uint64, error) {
	line, complete := firstLine(data)
	n, ok := unsigned(bytes.TrimSpace(line))
	if !complete || !ok {
		return 0, malformed(data, "a number and a newline")
	}
	return n, nil
}
