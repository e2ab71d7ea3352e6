package runtimex_test

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

// newReader reads tree as a machine with 8 CPUs.
func newReader(t testing.TB, tree fs.FS) runtimex.Reader {
	t.Helper()
	r := runtimex.NewReader(tree, func() int { return 8 })
	t.Cleanup(r.Close)
	return r
}

func readLimits(t testing.TB, r runtimex.Reader) runtimex.Limits {
	t.Helper()
	l, err := r.Read()
	assert.NoError(t, err)
	return l
}

// TestReaderSteady: while nothing changes the levels and the file names are
// the same slices, and no file is opened again.
func TestReaderSteady(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, kubernetesV2)
	r := newReader(t, tree)
	first, files := readLimits(t, r), r.Files()
	assert.Equal(t, files, []string{"sys/fs/cgroup/cpu.max", "sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory.high"})
	for range 50 {
		again := readLimits(t, r)
		assert.Equal(t, again, first)
		assert.True(t, &again.Levels[0] == &first.Levels[0])
		assert.True(t, &r.Files()[0] == &files[0])
	}
	for _, name := range append(files, "proc/self/cgroup", "proc/self/mountinfo", "proc/meminfo") {
		assert.Equal(t, tree.count(name), 1, name)
	}
	r.Close()
	assert.Equal(t, tree.leftOpen(), 0)
}

// TestReaderFollowsValues: a change shows up in the next read, in new levels,
// and those handed out before stay as they were.
func TestReaderFollowsValues(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, systemdV2)
	r := newReader(t, tree)
	first, files := readLimits(t, r), r.Files()
	tree.set("sys/fs/cgroup/shop.slice/cpu.max", "500000 100000\n")
	tree.set("sys/fs/cgroup/shop.slice/memory.high", "max\n")
	second := readLimits(t, r)
	assert.Equal(t, second.CPUQuota, 5)
	assert.Equal(t, second.Memory, 2*gib)
	assert.Equal(t, first.Levels[2].CPUQuota, 3)
	assert.True(t, &r.Files()[0] == &files[0])

	// A shorter content does not keep the end of the longer one.
	tree.set("sys/fs/cgroup/shop.slice/cpu.max", "max 100000\n")
	assert.Equal(t, readLimits(t, r).CPUQuota, 0)

	// What is wrong for a moment is an error for a moment.
	tree.set("sys/fs/cgroup/shop.slice/cpu.max", "")
	_, err := r.Read()
	assert.ErrorContains(t, err, "/sys/fs/cgroup/shop.slice/cpu.max: malformed")
	tree.set("sys/fs/cgroup/shop.slice/cpu.max", "100000 100000\n")
	assert.Equal(t, readLimits(t, r).CPUQuota, 1)
}

// TestReaderFollowsMigration: the process is moved, and its old group removed.
func TestReaderFollowsMigration(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, systemdV2)
	r := newReader(t, tree)
	before := readLimits(t, r)
	files := r.Files()
	tree.set("sys/fs/cgroup/fast/cpu.max", "700000 100000\n")
	tree.set("proc/self/cgroup", "0::/fast\n")
	tree.rmdir("sys/fs/cgroup/shop.slice")
	after := readLimits(t, r)
	assert.Equal(t, after.CPUQuota, 7)
	assert.Equal(t, after.Memory, none)
	assert.Equal(t, after.Levels[0].Dir, "/sys/fs/cgroup/fast")
	assert.Equal(t, r.Files(), []string{"sys/fs/cgroup/fast/cpu.max"})
	assert.Equal(t, len(files), 6)
	assert.Equal(t, before.Levels[2].CPUQuota, 3)
	r.Close()
	assert.Equal(t, tree.leftOpen(), 0)
}

// TestReaderKeepsSharedAncestors: what old and new group have in common is not
// opened again.
func TestReaderKeepsSharedAncestors(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, systemdV2)
	r := newReader(t, tree)
	readLimits(t, r)
	tree.set("sys/fs/cgroup/shop.slice/other/cpu.max", "100000 100000\n")
	tree.set("proc/self/cgroup", "0::/shop.slice/other\n")
	assert.Equal(t, readLimits(t, r).CPUQuota, 1)
	assert.Equal(t, tree.count("sys/fs/cgroup/shop.slice/cpu.max"), 1)
}

// TestReaderMovedWhileReading: between the discovery and the opening of the
// files the process is moved and its group removed. No limit may be missed.
func TestReaderMovedWhileReading(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, kubernetesV2)
	tree.set("proc/self/cgroup", "0::/old\n")
	tree.set("sys/fs/cgroup/old/cpu.max", "300000 100000\n")
	tree.set("sys/fs/cgroup/new/cpu.max", "100000 100000\n")
	moved := false
	tree.onOpen = func(name string) {
		if name == "sys/fs/cgroup/old/cpu.max" && !moved {
			moved = true
			tree.set("proc/self/cgroup", "0::/new\n")
			tree.rmdir("sys/fs/cgroup/old")
		}
	}
	r := newReader(t, tree)
	assert.Equal(t, readLimits(t, r).CPUQuota, 1)
	assert.True(t, moved)
}

// TestReaderControllers: a controller is switched on, and off again, while the
// process stays where it is.
func TestReaderControllers(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, systemdV2)
	r := newReader(t, tree)
	assert.Equal(t, readLimits(t, r).CPUQuota, 3)
	files := r.Files()
	leaf := "sys/fs/cgroup/shop.slice/shop-api.slice/greeter.service/"
	tree.set(leaf+"cpu.max", "200000 100000\n")
	l := readLimits(t, r)
	assert.Equal(t, l.CPUQuota, 2)
	assert.True(t, l.Levels[0].HasCPU)
	assert.Equal(t, len(r.Files()), len(files)+1)

	tree.mu.Lock()
	delete(tree.files, leaf+"cpu.max")
	tree.mu.Unlock()
	l = readLimits(t, r)
	assert.Equal(t, l.CPUQuota, 3)
	assert.True(t, !l.Levels[0].HasCPU)
	assert.Equal(t, r.Files(), files)
}

// TestReaderUnreachable: a mount that comes later is found.
func TestReaderUnreachable(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, kubernetesV2)
	mountinfo := tree.files["proc/self/mountinfo"]
	tree.set("proc/self/mountinfo", "22 27 0:21 / /proc rw,relatime - proc proc rw\n")
	r := newReader(t, tree)
	for range 2 {
		l, err := r.Read()
		assert.ErrorIs(t, err, runtimex.ErrUnreachable)
		assert.Equal(t, l.Memory, none)
	}
	tree.set("proc/self/mountinfo", mountinfo)
	assert.Equal(t, readLimits(t, r).CPUQuota, 1.5)
	assert.Equal(t, len(r.Files()), 3)
}

// TestReaderSearch: a group whose name is unknown is looked for at once after a
// move, but not at every read.
func TestReaderSearch(t *testing.T) {
	t.Parallel()
	const scope = "sys/fs/cgroup/web.scope/"
	tree := detectTree(t, detectMachine, kubernetesV2)
	tree.set("proc/self/status", "Cpus_allowed:\tff\nNSpid:\t4711\t7\n")
	tree.set("proc/self/mountinfo", "34 25 0:29 /.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
	tree.set(scope+"cpu.max", "200000 100000\n")
	tree.set(scope+"cgroup.procs", "6\n")
	r := newReader(t, tree)
	for range 30 {
		_, err := r.Read()
		assert.ErrorIs(t, err, runtimex.ErrUnreachable)
	}
	assert.Equal(t, tree.count(scope+"cgroup.procs"), 1)

	tree.set(scope+"cgroup.procs", "6\n7")
	for range 30 {
		_, _ = r.Read()
	}
	l, err := r.Read()
	assert.ErrorIs(t, err, runtimex.ErrUnreachable, "a line without its end is no line")
	assert.Equal(t, l.CPUQuota, 0)

	tree.set(scope+"cgroup.procs", "6\n")
	tree.set(scope+"sub/cgroup.procs", "7\n")
	tree.set("proc/self/cgroup", "0::/sub\n")
	l = readLimits(t, r)
	assert.Equal(t, l.CPUQuota, 1.5) // of the mount's root
	assert.Equal(t, l.Levels[0].Dir, "/sys/fs/cgroup/web.scope/sub")
	assert.Equal(t, l.Levels[1].CPUQuota, 2)
	assert.Equal(t, l.Levels[2].Path, "/..")
	again := readLimits(t, r)
	assert.True(t, &again.Levels[0] == &l.Levels[0])
}

// TestReaderOutOfFiles: a process that may open nothing more goes on with the
// files that it has, says what it misses, and recovers.
func TestReaderOutOfFiles(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, kubernetesV2)
	r := newReader(t, tree)
	want := readLimits(t, r)
	for name := range tree.files {
		tree.deny(name, syscall.EMFILE)
	}
	missed := 0
	for range 200 {
		got, err := r.Read()
		assert.Equal(t, got, want)
		if err != nil {
			assert.ErrorIs(t, err, syscall.EMFILE)
			missed++
		}
	}
	assert.True(t, missed > 0, "the mounts were never looked at again")
	tree.mu.Lock()
	clear(tree.denied)
	tree.mu.Unlock()
	assert.Equal(t, readLimits(t, r), want)
}

// TestReaderMachineGrows: memory that is plugged in shows up within 60 reads.
func TestReaderMachineGrows(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, kubernetesV2)
	r := newReader(t, tree)
	assert.Equal(t, readLimits(t, r).MemoryTotal, 16*gib)
	tree.set("proc/meminfo", "MemTotal:       33554432 kB\n")
	for range 60 {
		readLimits(t, r)
	}
	assert.Equal(t, readLimits(t, r).MemoryTotal, 32*gib)
}

// TestReaderCPUs: the live count wins, and where it is unknown the mask of the
// process counts, without the CPUs that are not present.
func TestReaderCPUs(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, kubernetesV2)
	cpus := 3
	r := runtimex.NewReader(tree, func() int { return cpus })
	defer r.Close()
	assert.Equal(t, readLimits(t, r).CPUs, 3)
	cpus = 5
	assert.Equal(t, readLimits(t, r).CPUs, 5)
	cpus = 0
	assert.Equal(t, readLimits(t, r).CPUs, 8)
	tree.set("proc/self/status", "Cpus_allowed:\t000000ff,00000000,0000000f\n")
	tree.set("sys/devices/system/cpu/online", "0-1,3,64-65\n")
	assert.Equal(t, readLimits(t, r).CPUs, 5)
	tree.set("proc/self/status", "Cpus_allowed:\t\n")
	l, err := r.Read()
	assert.Equal(t, l.CPUs, 0)
	assert.ErrorContains(t, err, "/proc/self/status: malformed")
	assert.Equal(t, l.CPUQuota, 1.5)
}

// TestReaderErrorsDoNotPileUp: what stays wrong is said once in each error.
func TestReaderErrorsDoNotPileUp(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, kubernetesV2)
	tree.deny("proc/self/cgroup", fs.ErrPermission)
	tree.set("proc/meminfo", "MemTotal:\n")
	r := newReader(t, tree)
	for range 3 {
		_, err := r.Read()
		assert.Equal(t, strings.Count(err.Error(), "\n"), 1, err.Error())
	}
	tree.deny("proc/self/cgroup", nil)
	for range 3 {
		l, err := r.Read()
		assert.Equal(t, strings.Count(err.Error(), "/proc/meminfo"), 1, err.Error())
		assert.Equal(t, l.CPUQuota, 1.5)
	}
}

// TestReaderWithoutSeek: files that cannot be rewound are opened again.
func TestReaderWithoutSeek(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, kubernetesV2)
	r := newReader(t, plainFS{tree})
	assert.Equal(t, readLimits(t, r).CPUQuota, 1.5)
	tree.set("sys/fs/cgroup/cpu.max", "250000 100000\n")
	assert.Equal(t, readLimits(t, r).CPUQuota, 2.5)
	tree.set("proc/self/cgroup", "0::/gone\n")
	_, err := r.Read()
	assert.ErrorIs(t, err, runtimex.ErrUnreachable)
	tree.set("sys/fs/cgroup/gone/memory.max", "1048576\n")
	assert.Equal(t, readLimits(t, r).Memory, mib)
	r.Close()
	assert.Equal(t, tree.leftOpen(), 0)
}

// plainFS offers no more than fs.File, a byte at a time.
type plainFS struct{ fs.FS }

func (p plainFS) Open(name string) (fs.File, error) {
	f, err := p.FS.Open(name)
	return plainFile{f}, err
}

type plainFile struct{ f fs.File }

func (p plainFile) Stat() (fs.FileInfo, error) { return p.f.Stat() }
func (p plainFile) Close() error               { return p.f.Close() }
func (p plainFile) Read(b []byte) (int, error) { return p.f.Read(b[:min(1, len(b))]) }

// TestReaderEndless: a file without an end is an error, and not all memory.
func TestReaderEndless(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, kubernetesV2)
	tree.set("proc/self/mountinfo", strings.Repeat("22 27 0:21 / /proc rw - proc proc rw\n", 1<<19))
	r := newReader(t, tree)
	_, err := r.Read()
	assert.ErrorContains(t, err, "/proc/self/mountinfo", "larger than")
}

// TestReaderUnsupported: where there is no /proc every read says so.
func TestReaderUnsupported(t *testing.T) {
	t.Parallel()
	r := newReader(t, detectTree(t))
	for range 2 {
		l, err := r.Read()
		assert.True(t, errors.Is(err, errors.ErrUnsupported))
		assert.Equal(t, l, runtimex.Limits{CPUs: 8, Memory: none})
		assert.Equal(t, len(r.Files()), 0)
	}
}
