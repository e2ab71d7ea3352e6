package runtimex_test

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

const (
	mib  = int64(1) << 20
	gib  = int64(1) << 30
	none = runtimex.NoLimit
)

// detectMachine is 8 of 16 possible CPUs, and 16 GiB.
const detectMachine = `
-- proc/self/status --
Name:	server
Pid:	1
Cpus_allowed:	ffff
Cpus_allowed_list:	0-15
-- sys/devices/system/cpu/online --
0-7
-- proc/meminfo --
MemTotal:       16777216 kB
MemFree:         9000000 kB
`

// v2Level is a level as cgroup v2 has it.
func v2Level(path, dir string, quota float64, memoryMax, high int64) runtimex.Level {
	return runtimex.Level{
		Version: 2, Path: path, Dir: dir, HasCPU: true, HasMemory: true,
		CPUQuota: quota, MemoryMax: memoryMax, MemoryHigh: high, MemoryHierarchical: none,
	}
}

// bareLevel is a level without controllers.
func bareLevel(path, dir string) runtimex.Level {
	return runtimex.Level{
		Version: 2, Path: path, Dir: dir,
		MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
	}
}

func v1CPU(path, dir string, quota float64) runtimex.Level {
	return runtimex.Level{
		Version: 1, Path: path, Dir: dir, HasCPU: true, CPUQuota: quota,
		MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
	}
}

func v1Memory(path, dir string, limit, hierarchical int64) runtimex.Level {
	return runtimex.Level{
		Version: 1, Path: path, Dir: dir, HasMemory: true,
		MemoryMax: limit, MemoryHigh: none, MemoryHierarchical: hierarchical,
	}
}

// detectCase is a machine and what it allows. Where err is set the error
// contains each part.
type detectCase struct {
	name        string
	files       string
	deny        map[string]error
	quota       float64
	memory      int64
	levels      []runtimex.Level
	err         []string
	unreachable bool
}

// TestDetect reads machines as they are found in the field.
func TestDetect(t *testing.T) {
	t.Parallel()
	for _, tt := range slices.Concat(detectV2, detectMounts, detectV1) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tree := detectTree(t, detectMachine, tt.files)
			for name, err := range tt.deny {
				tree.deny(name, err)
			}
			got, err := runtimex.Detect(tree)
			if tt.err == nil {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, tt.err...)
			}
			assert.Equal(t, errors.Is(err, runtimex.ErrUnreachable), tt.unreachable)
			assert.Equal(t, got.CPUs, 8)
			assert.Equal(t, got.MemoryTotal, 16*gib)
			assert.Equal(t, got.CPUQuota, tt.quota)
			assert.Equal(t, got.Memory, tt.memory)
			assert.Equal(t, len(got.Levels), len(tt.levels))
			for i := range min(len(got.Levels), len(tt.levels)) {
				assert.Equal(t, got.Levels[i], tt.levels[i])
			}
			assert.Equal(t, tree.leftOpen(), 0)
		})
	}
}

// TestDetectThisMachine compares with what package runtime found out.
func TestDetectThisMachine(t *testing.T) {
	t.Parallel()
	got, err := runtimex.Detect(os.DirFS("/"))
	if runtime.GOOS != "linux" {
		assert.ErrorIs(t, err, errors.ErrUnsupported)
		return
	}
	if err != nil {
		t.Logf("this machine shows a part only: %v", err)
	}
	assert.Equal(t, got.CPUs, runtime.NumCPU())
	assert.True(t, got.MemoryTotal > 16*mib)
	assert.True(t, got.PageSize == 0 || got.PageSize == os.Getpagesize())
	for _, l := range got.Levels {
		info, err := os.Stat(l.Dir)
		assert.NoError(t, err)
		assert.True(t, info.IsDir(), l.Dir)
	}
}

func TestDetectElsewhere(t *testing.T) {
	t.Parallel()
	got, err := runtimex.Detect(fstest.MapFS{"bin/sh": {}})
	assert.ErrorIs(t, err, errors.ErrUnsupported)
	assert.Equal(t, got, runtimex.Limits{Memory: none})
}

// TestDetectErrors: whoever reads the error finds each file in it.
func TestDetectErrors(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, kubernetesV2)
	tree.deny("sys/fs/cgroup/cpu.max", fs.ErrPermission)
	tree.set("sys/fs/cgroup/memory.max", "lots")
	_, err := runtimex.Detect(tree)
	var paths []string
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		file, ok := errors.AsType[*runtimex.FileError](e)
		assert.True(t, ok, e.Error())
		paths = append(paths, file.Path)
	}
	assert.Equal(t, paths, []string{"/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/memory.max"})
	assert.ErrorIs(t, err, fs.ErrPermission)
	assert.ErrorContains(t, err, `runtimex: /sys/fs/cgroup/memory.max: malformed: got "lots", want a positive number of bytes or "max"`)
}

// TestDetectMalformed: nothing but a well-formed limit is a limit, and the
// error is of bounded length.
func TestDetectMalformed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("9", 5000) + "\n"
	files := map[string][]string{
		"sys/fs/cgroup/cpu.max": {
			"", "\n", "max", "max\n", "200000", "200000\n", "200000 100000", "200000 ", "0 100000\n", "-1 100000\n",
			"200000 0\n", "200000 -1\n", "NaN 100000\n", "Inf 1\n", "1e9 100000\n", "+2 1\n", " 200000 100000\n",
			"200000  100000\n", "200000 100000 \n", "0x10 1\n", "9223372036854775808 1\n", "1 9223372036854775808\n", long,
		},
		"sys/fs/cgroup/memory.max": {
			"", "\n", "max", "1048576", "0\n", "-1\n", "1.5\n", "1048576 \n", "1M\n", "18446744073709551616\n", long,
		},
		"sys/fs/cgroup/memory.high": {"", "0\n", "maximum\n", "12"},
	}
	for name, contents := range files {
		for _, content := range contents {
			tree := detectTree(t, detectMachine, kubernetesV2)
			for _, limit := range []string{"cpu.max", "memory.max", "memory.high"} {
				delete(tree.files, "sys/fs/cgroup/"+limit)
			}
			tree.set("sys/fs/cgroup/memory.max", "max\n")
			tree.set(name, content)
			got, err := runtimex.Detect(tree)
			assert.Equal(t, got.CPUQuota, 0, content)
			assert.Equal(t, got.Memory, none, content)
			assert.ErrorContains(t, err, "/"+name, "malformed")
			assert.True(t, len(err.Error()) < 300, err.Error())
		}
	}
}

// TestDetectLongPaths: 4 KiB of names, most of them escaped.
func TestDetectLongPaths(t *testing.T) {
	t.Parallel()
	name := strings.Repeat(` \`+"\t", 80)
	point := "/" + strings.Repeat(name+"/", 16) + "cg"
	escaped := strings.NewReplacer(" ", `\040`, "\t", `\011`, `\`, `\134`).Replace(point)
	path := "/" + strings.Repeat(strings.Repeat("a:", 120)+"/", 16) + "leaf (deleted)"
	tree := detectTree(t, detectMachine)
	tree.set("proc/self/cgroup", "0::"+path+"\n")
	tree.set("proc/self/mountinfo", "36 35 0:30 / "+escaped+" rw - cgroup2 cgroup2 rw\n")
	tree.set(point[1:]+path+"/cpu.max", "150000 100000\n")
	got, err := runtimex.Detect(tree)
	assert.NoError(t, err)
	assert.Equal(t, got.CPUQuota, 1.5)
	assert.Equal(t, len(got.Levels), 18)
	assert.Equal(t, got.Levels[0].Path, path)
	assert.Equal(t, got.Levels[17].Dir, point)
}

// TestDetectDepth: a tree of any depth costs a bounded number of open files,
// and what was left out is said.
func TestDetectDepth(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, kubernetesV2)
	path := strings.Repeat("/n", 200)
	tree.set("proc/self/cgroup", "0::"+path+"\n")
	tree.set("sys/fs/cgroup"+path+"/cpu.max", "100000 100000\n")
	got, err := runtimex.Detect(tree)
	assert.Equal(t, got.CPUQuota, 1)
	assert.Equal(t, len(got.Levels), 64)
	assert.ErrorContains(t, err, "deeper than 64 levels")
}

// TestDetectConcurrently is for the race detector.
func TestDetectConcurrently(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, kubernetesV2)
	done := make(chan runtimex.Limits)
	for range 4 {
		go func() {
			l, _ := runtimex.Detect(tree)
			done <- l
		}()
	}
	for range 4 {
		assert.Equal(t, (<-done).CPUQuota, 1.5)
	}
}

// TestFileError keeps errors.Is and errors.As working.
func TestFileError(t *testing.T) {
	t.Parallel()
	err := errors.Join(&runtimex.FileError{Path: "/a", Err: syscall.EACCES}, errors.New("b"))
	assert.ErrorIs(t, err, fs.ErrPermission)
	file, ok := errors.AsType[*runtimex.FileError](err)
	assert.True(t, ok)
	assert.Equal(t, file.Error(), "runtimex: /a: permission denied")
}

func TestAffinity(t *testing.T) {
	t.Parallel()
	want := runtime.NumCPU()
	if runtime.GOOS != "linux" {
		want = 0
	}
	assert.Equal(t, runtimex.Affinity(), want)
}
