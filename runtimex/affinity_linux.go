package runtimex

import "golang.org/x/sys/unix"

// affinity counts the CPUs that the calling thread may use now, or returns
// 0 where that is unknown: on machines with more than 1024 possible CPUs, which
// the fixed set of package unix does not hold.
func affinity() int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0
	}
	return set.Count()
}
