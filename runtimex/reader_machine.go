package runtimex

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"strconv"

	"github.com/grpcx-go/sdk/runtimex/internal/parse"
)

// machine is what seldom changes.
type machine struct {
	memory   int64
	pageSize int
}

// read reads both sizes. What cannot be read keeps its last value.
func (m *machine) read(r *reader) {
	if data := r.once("proc/meminfo"); data != nil {
		total, err := parse.MemTotal(data)
		r.problem("/proc/meminfo", err)
		if err == nil {
			m.memory = total
		}
	}
	if data := r.once("proc/self/auxv"); data != nil {
		size, err := parse.PageSize(data, strconv.IntSize, binary.NativeEndian)
		r.problem("/proc/self/auxv", err)
		if err == nil {
			m.pageSize = size
		}
	}
}

// once reads a whole file. It returns nil where it does not exist, and adds to
// the problems where it cannot be read.
func (r *reader) once(name string) []byte {
	data, err := r.peek(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.problem("/"+name, err)
	}
	return data
}

// peek reads a whole file and leaves it to the caller to judge the error.
func (r *reader) peek(name string) ([]byte, error) {
	f := kernelFile{name: name}
	defer f.close()
	return f.all(r.fsys, &r.buf)
}

// countCPUs counts the CPUs of the affinity mask and returns 0 where it cannot,
// with the reason added to errs unless there is no /proc.
func (r *reader) countCPUs(errs []error) (int, []error) {
	if r.cpus != nil {
		if n := r.cpus(); n > 0 {
			return n, errs
		}
	}
	const status, online = "proc/self/status", "sys/devices/system/cpu/online"
	data, err := r.peek(status)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, errs
	}
	if err != nil {
		return 0, append(errs, &FileError{"/" + status, err})
	}
	allowed, err := parse.CPUsAllowed(data)
	if err != nil {
		return 0, append(errs, &FileError{"/" + status, err})
	}
	// The mask holds every CPU that the kernel has room for, present or not.
	data, err = r.peek(online)
	if err != nil {
		return allowed.Len(), errs // sysfs need not be mounted
	}
	present, err := parse.CPUList(data)
	if err != nil {
		return allowed.Len(), append(errs, &FileError{"/" + online, err})
	}
	return allowed.And(present).Len(), errs
}
