package parse

import "bytes"

// The kernel keeps memory limits of cgroup v1 in pages and prints "none" as the
// largest number of pages in bytes: the largest int64, rounded down to a page
// of up to 64 KiB, or on 32-bit kernels the largest int32 times 4 KiB. Kernels
// before 3.19 print larger numbers.
const (
	noLimit64 = uint64(NoLimit) &^ (64<<10 - 1)
	noLimit32 = (1<<31 - 1) * 4096
)

// MemoryValue reads memory.max and memory.high of cgroup v2 ("max\n" or bytes)
// and memory.limit_in_bytes of v1, and returns bytes or NoLimit. Zero is an
// error: the kernel takes it, to empty a group, but no process runs within it.
//
// https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
func MemoryValue(data []byte) (int64, error) {
	line, complete := firstLine(data)
	if complete && bytes.Equal(line, unlimited) {
		return NoLimit, nil
	}
	n, ok := unsigned(line)
	if !complete || !ok || n == 0 {
		return NoLimit, malformed(data, `a positive number of bytes or "max", and a newline`)
	}
	return memoryLimit(n), nil
}

func memoryLimit(n uint64) int64 {
	if n >= noLimit64 || n == noLimit32 {
		return NoLimit
	}
	return int64(n)
}

// HierarchicalLimit reads hierarchical_memory_limit from memory.stat of cgroup
// v1: the tightest limit of the group and of all its ancestors, including those
// that this process cannot see. It is NoLimit where there is none, and known is
// false where the file does not say, as in gVisor.
//
// https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
func HierarchicalLimit(data []byte) (limit int64, known bool, err error) {
	limit = NoLimit
	err = Flat(data, func(key []byte, value uint64) {
		if string(key) == "hierarchical_memory_limit" && value > 0 {
			limit, known = memoryLimit(value), true
		}
	})
	if known {
		err = nil // about some other statistic
	}
	return limit, known, err
}
