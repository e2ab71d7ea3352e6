package runtimex

import "fmt"

// Limits are what the machine and the control groups allow this process, as
// [Detect] read them at one moment. It is a plain value; nothing may write to
// Levels, which copies share.
type Limits struct {
	// CPUs is how many logical CPUs the affinity mask allows; 0 when that
	// could not be read.
	CPUs int `json:"cpus"`
	// CPUQuota is the tightest CPU bandwidth limit of all levels, in CPUs:
	// quota divided by period. 0 means that there is none.
	CPUQuota float64 `json:"cpu_quota"`
	// Memory is the tightest memory limit of all levels in bytes: of
	// memory.max and memory.high (cgroup v2), of memory.limit_in_bytes and
	// hierarchical_memory_limit (v1), and no more than MemoryTotal where any
	// of them is set. NoLimit means that none is. Of v1 ancestors,
	// memory.limit_in_bytes counts only where hierarchical_memory_limit is
	// unknown, which is what the kernel itself makes of them. It is never 0: the
	// kernel allows that limit, but no process runs within it, so it is taken
	// for none and reported as a [*FileError].
	Memory int64 `json:"memory"`
	// MemoryTotal is the memory of the machine in bytes, MemTotal of
	// /proc/meminfo; 0 when unknown.
	MemoryTotal int64 `json:"memory_total"`
	// PageSize is the size of a memory page in bytes; 0 when unknown.
	PageSize int `json:"page_size"`
	// Levels are the control groups that were read: the process's own first,
	// then each visible ancestor. With cgroup v1 the cpu hierarchy comes
	// before the memory hierarchy.
	Levels []Level `json:"levels,omitempty"`
}

// Level is one control group and the limits that it sets itself.
type Level struct {
	// Version is that of the hierarchy, 1 or 2.
	Version int `json:"version"`
	// Path is the group's path in its hierarchy, as /proc/self/cgroup names
	// it: "/kubepods.slice/pod1". It begins with "/.." where the group lies
	// outside of the process's cgroup namespace.
	Path string `json:"path"`
	// Dir is the directory where it was read: "/sys/fs/cgroup/kubepods.slice/pod1".
	Dir string `json:"dir"`
	// HasCPU and HasMemory are set when the group has the limit files of the
	// controller, whatever they say.
	HasCPU    bool `json:"has_cpu"`
	HasMemory bool `json:"has_memory"`
	// CPUQuota is the CPU bandwidth limit in CPUs; 0 means none.
	CPUQuota float64 `json:"cpu_quota"`
	// MemoryMax is memory.max, or memory.limit_in_bytes with v1; MemoryHigh
	// is memory.high. Bytes; NoLimit means none.
	MemoryMax  int64 `json:"memory_max"`
	MemoryHigh int64 `json:"memory_high"`
	// MemoryHierarchical is hierarchical_memory_limit of the process's own
	// group with v1: the tightest limit of the group and of all its ancestors,
	// those that cannot be seen included. NoLimit means none, or unknown, as it
	// is for every other group.
	MemoryHierarchical int64 `json:"memory_hierarchical"`
}

// A FileError is a file of the kernel that could not be used, and why. [Detect]
// joins one for each.
type FileError struct {
	// Path is the absolute path of the file.
	Path string
	Err  error
}

// Error implements error.
func (e *FileError) Error() string { return fmt.Sprintf("runtimex: %s: %v", e.Path, e.Err) }

// Unwrap returns what is wrong, so that errors.Is(err, fs.ErrPermission) works.
func (e *FileError) Unwrap() error { return e.Err }
