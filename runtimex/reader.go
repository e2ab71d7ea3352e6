package runtimex

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

const (
	// maxRounds bounds how often one read starts over because the process
	// was moved meanwhile.
	maxRounds = 3
	// refreshAfter is how many reads pass before the mounts and the size of
	// the machine are looked at again without another reason to.
	refreshAfter = 60
	// maxBuffer is how long a buffer is kept between reads.
	maxBuffer = 64 << 10
)

func newBuffer() []byte { return make([]byte, 0, 4<<10) }

// reader reads the limits again and again at little cost: it keeps the files
// open and looks for them anew only when the process changed its group or a
// group went away. It is not safe for concurrent use.
type reader struct {
	fsys fs.FS
	cpus func() int
	buf  []byte // of the file that is being read

	membership kernelFile
	member     []byte // what membership said at the last discovery
	discovered bool
	stale      bool // discover before the next use
	reads      int
	// searchAfter is how many reads must have passed before search tries
	// again after it found nothing.
	searchAfter int
	groups      []*group
	leaves      leaves
	machine     machine
	problems    []error // of the last discovery

	levels []Level // being read
	limits Limits  // as last read
	names  []string
}

// newReader returns a reader of the files below fsys, which is rooted at "/".
// cpus counts the CPUs of the affinity mask; where it is nil or returns 0,
// /proc/self/status says.
func newReader(fsys fs.FS, cpus func() int) *reader {
	return &reader{
		fsys:       fsys,
		cpus:       cpus,
		buf:        newBuffer(),
		membership: kernelFile{name: "proc/self/cgroup"},
	}
}

// read returns the limits of this moment, as documented for [Detect]. While
// nothing changes every call returns the same Levels.
func (r *reader) read() (Limits, error) {
	if r.reads++; r.reads%refreshAfter == 0 {
		r.stale = true
	}
	var errs []error
	for range maxRounds {
		found, err := r.follow()
		if errors.Is(err, errors.ErrUnsupported) {
			r.limits = Limits{Memory: NoLimit}
			r.limits.CPUs, _ = r.countCPUs(nil)
			return r.limits, err
		}
		errs = errs[:0]
		if err != nil {
			errs = append(errs, err)
		}
		errs = append(errs, r.problems...)
		errs = r.measure(errs)
		// After a discovery the process may have been moved before all files
		// were open; the next round sees whether it was.
		if !found && !r.stale {
			break
		}
	}
	if len(r.problems) > 0 {
		r.stale = true // try again next time
	}
	return r.limits, errors.Join(errs...)
}

// follow discovers the groups again if it has to, and reports whether it did.
func (r *reader) follow() (found bool, err error) {
	member, err := r.membership.all(r.fsys, &r.buf)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := fs.Stat(r.fsys, "proc/self/status"); errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("runtimex: there is no /proc/self, and control groups exist on Linux only: %w", errors.ErrUnsupported)
		}
		member = nil // a kernel without control groups
	case err != nil && r.discovered:
		// What was found last is the best guess.
		return false, &FileError{r.membership.path(), err}
	case err != nil:
		r.problems = r.problems[:0]
		r.machine.read(r)
		return false, &FileError{r.membership.path(), err}
	}
	if r.discovered && !r.stale && bytes.Equal(member, r.member) {
		return false, nil
	}
	moved := !r.discovered || !bytes.Equal(member, r.member)
	r.member = append(r.member[:0], member...)
	r.discovered, r.stale = true, false
	r.discover(moved)
	return true, nil
}

// measure reads all limit files into r.limits and returns errs with what went
// wrong added.
func (r *reader) measure(errs []error) []error {
	r.levels = r.levels[:0]
	quota, memory := 0.0, NoLimit
	for _, g := range r.groups {
		errs = g.read(r, errs)
		r.levels = append(r.levels, g.level)
		if q := g.level.CPUQuota; q > 0 && (quota == 0 || q < quota) {
			quota = q
		}
		memory = min(memory, g.memory())
	}
	if total := r.machine.memory; memory != NoLimit && total > 0 {
		memory = min(memory, total)
	}
	cpus, errs := r.countCPUs(errs)
	l := Limits{
		CPUs:        cpus,
		CPUQuota:    quota,
		Memory:      memory,
		MemoryTotal: r.machine.memory,
		PageSize:    r.machine.pageSize,
		Levels:      r.limits.Levels,
	}
	if !slices.Equal(l.Levels, r.levels) {
		l.Levels = slices.Clone(r.levels)
	}
	r.limits = l
	return errs
}

// files returns the names of the limit files in use, as fs.FS spells them. It
// is another slice only when they are other files; do not write to it.
func (r *reader) files() []string {
	i, same := 0, true
	for _, g := range r.groups {
		for _, f := range g.watched() {
			if f.opened() {
				same = same && i < len(r.names) && r.names[i] == f.name
				i++
			}
		}
	}
	if same && i == len(r.names) {
		return r.names
	}
	r.names = nil
	for _, g := range r.groups {
		for _, f := range g.watched() {
			if f.opened() {
				r.names = append(r.names, f.name)
			}
		}
	}
	return r.names
}

// close closes every file. The reader may be used again afterwards.
func (r *reader) close() {
	r.membership.close()
	for _, g := range r.groups {
		g.close()
	}
	r.groups, r.discovered = nil, false
}
