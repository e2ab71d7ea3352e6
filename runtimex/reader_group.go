package runtimex

import (
	"errors"
	"io/fs"

	"github.com/grpcx-go/sdk/runtimex/internal/parse"
)

// group is one level and its open files. A file without a name is not wanted:
// its controller is read from another hierarchy.
type group struct {
	level         Level // as last read
	quota, period kernelFile
	max, high     kernelFile
	// stat is memory.stat of the leaf of a v1 hierarchy, whose
	// hierarchical_memory_limit the kernel computes over all ancestors.
	stat kernelFile
	// covered is set where the leaf's stat speaks for this level, too.
	covered *group
	known   bool // stat named the limit
}

// newGroup describes a level without opening anything. leaf is the process's
// own group in the hierarchy, nil where this is it.
func newGroup(level Level, cpu, memory bool, leaf *group) *group {
	g := &group{level: level}
	version, prefix := level.Version, dirName(level.Dir)+"/"
	if prefix == "./" {
		prefix = ""
	}
	if version == 1 && memory && leaf == nil {
		g.stat.name = prefix + "memory.stat"
	} else if version == 1 && memory {
		g.covered = leaf
	}
	if cpu && version == 1 {
		g.quota.name, g.period.name = prefix+"cpu.cfs_quota_us", prefix+"cpu.cfs_period_us"
	} else if cpu {
		g.quota.name = prefix + "cpu.max"
	}
	if memory && version == 1 {
		g.max.name = prefix + "memory.limit_in_bytes"
	} else if memory {
		g.max.name, g.high.name = prefix+"memory.max", prefix+"memory.high"
	}
	return g
}

// same says whether both read the same files.
func (g *group) same(h *group) bool {
	return g.level.Version == h.level.Version && g.level.Path == h.level.Path && g.level.Dir == h.level.Dir &&
		g.quota.name == h.quota.name && g.max.name == h.max.name && g.stat.name == h.stat.name
}

// watched are the files whose modification changes a limit.
func (g *group) watched() [4]*kernelFile {
	return [...]*kernelFile{&g.quota, &g.period, &g.max, &g.high}
}

func (g *group) close() {
	for _, f := range g.watched() {
		f.close()
	}
	g.stat.close()
}

// memory is the limit that counts: an ancestor's own value only where the
// kernel did not say itself what all of them come to, since before 5.11 an
// ancestor with use_hierarchy off limits only itself.
func (g *group) memory() int64 {
	if g.covered != nil && g.covered.known {
		return NoLimit
	}
	return min(g.level.MemoryMax, g.level.MemoryHigh, g.level.MemoryHierarchical)
}

// read reads the group's limits and returns errs with what went wrong added. A
// file that cannot be used sets no limit.
func (g *group) read(r *reader, errs []error) []error {
	g.level.CPUQuota, g.level.HasCPU = 0, false
	g.level.MemoryMax, g.level.MemoryHigh, g.level.MemoryHierarchical = NoLimit, NoLimit, NoLimit
	g.level.HasMemory, g.known = false, false
	if g.quota.name != "" {
		errs = g.readCPU(r, errs)
	}
	if g.max.name != "" {
		errs = g.readMemory(r, errs)
	}
	return errs
}

func (g *group) readCPU(r *reader, errs []error) []error {
	data, err := r.line(&g.quota)
	if data == nil && err == nil {
		return errs
	}
	g.level.HasCPU = true
	if err != nil {
		return append(errs, err)
	}
	if g.level.Version == 2 {
		quota, err := parse.CPUMax(data)
		g.level.CPUQuota = quota
		return appendFileError(errs, &g.quota, err)
	}
	quota, err := parse.CFSQuota(data)
	if err != nil || quota == 0 {
		return appendFileError(errs, &g.quota, err)
	}
	data, err = r.line(&g.period)
	if err == nil && data == nil {
		err = &FileError{g.period.path(), fs.ErrNotExist}
	}
	if err != nil {
		return append(errs, err)
	}
	period, err := parse.CFSPeriod(data)
	if err == nil {
		g.level.CPUQuota = float64(quota) / float64(period)
	}
	return appendFileError(errs, &g.period, err)
}

func (g *group) readMemory(r *reader, errs []error) []error {
	var found bool
	g.level.MemoryMax, found, errs = r.bytes(&g.max, errs)
	if !found {
		return errs
	}
	g.level.HasMemory = true
	if g.high.name != "" {
		g.level.MemoryHigh, _, errs = r.bytes(&g.high, errs)
	}
	if g.stat.name == "" {
		return errs
	}
	was := g.stat.opened()
	data, err := g.stat.all(r.fsys, &r.buf)
	if err != nil {
		return r.failed(&g.stat, was, err, errs)
	}
	g.level.MemoryHierarchical, g.known, err = parse.HierarchicalLimit(data)
	return appendFileError(errs, &g.stat, err)
}

// bytes reads a memory limit; found is false where the file does not exist.
func (r *reader) bytes(f *kernelFile, errs []error) (limit int64, found bool, _ []error) {
	data, err := r.line(f)
	if err != nil {
		return NoLimit, true, append(errs, err)
	}
	if data == nil {
		return NoLimit, false, errs
	}
	limit, err = parse.MemoryValue(data)
	return limit, true, appendFileError(errs, f, err)
}

// line reads a file of one line. It returns neither content nor an error where
// the file does not exist, which is how a controller that is off looks.
func (r *reader) line(f *kernelFile) ([]byte, error) {
	was := f.opened()
	data, err := f.line(r.fsys, &r.buf)
	if err == nil {
		return data, nil
	}
	if errs := r.failed(f, was, err, nil); errs != nil {
		return nil, errs[0]
	}
	return nil, nil
}

// failed judges err of a file that was open before, or was not.
func (r *reader) failed(f *kernelFile, was bool, err error, errs []error) []error {
	if gone(err) && was {
		r.stale = true // the group or its controller went away
	}
	if errors.Is(err, fs.ErrNotExist) {
		return errs
	}
	return append(errs, &FileError{f.path(), err})
}

func appendFileError(errs []error, f *kernelFile, err error) []error {
	if err == nil {
		return errs
	}
	return append(errs, &FileError{f.path(), err})
}
