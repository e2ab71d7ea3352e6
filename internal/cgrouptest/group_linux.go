package cgrouptest

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	root      = "/sys/fs/cgroup"
	procsFile = "cgroup.procs"

	// NoLimit stands for no memory limit.
	NoLimit int64 = math.MaxInt64
)

// Group is a control group: one directory with cgroup v2, one in each of the
// hierarchies cpu and memory with v1.
type Group struct {
	t    testing.TB
	dirs []string // v2: one; v1: cpu, memory
}

var made atomic.Int64

// New makes a group below the root of the hierarchies that lasts as long as
// the test. The test skips where it cannot be made.
func New(t testing.TB, name string) *Group {
	t.Helper()
	if reason := unavailable(); reason != "" {
		t.Skip("no control groups: " + reason)
	}
	// No two test processes use the same name, so none meets another's group.
	name = fmt.Sprintf("cgrouptest-%d-%d-%s", os.Getpid(), made.Add(1), name)
	if onlyV2() {
		return newGroup(t, filepath.Join(root, name))
	}
	return newGroup(t, filepath.Join(root, "cpu", name), filepath.Join(root, "memory", name))
}

// Child makes a group below g, with the controllers cpu and memory.
func (g *Group) Child(name string) *Group {
	g.t.Helper()
	g.EnableControllers()
	return g.BareChild(name)
}

// BareChild makes a group below g. With cgroup v2 it has no controllers until
// [Group.EnableControllers] of g.
func (g *Group) BareChild(name string) *Group {
	g.t.Helper()
	var dirs []string
	for _, dir := range g.dirs {
		dirs = append(dirs, filepath.Join(dir, name))
	}
	return newGroup(g.t, dirs...)
}

// EnableControllers gives the children of g the controllers cpu and memory,
// which they always have with cgroup v1.
func (g *Group) EnableControllers() {
	g.t.Helper()
	if g.Version() == 2 {
		g.write(g.dirs[0], "cgroup.subtree_control", "+cpu +memory")
	}
}

// Version is that of the hierarchies, 1 or 2.
func (g *Group) Version() int {
	if len(g.dirs) == 1 {
		return 2
	}
	return 1
}

// Dirs are the group's directories.
func (g *Group) Dirs() []string { return g.dirs }

// SetCPU limits the group to a number of CPUs, 0 for no limit. With cgroup v1
// the kernel refuses more than an ancestor has.
func (g *Group) SetCPU(cpus float64) {
	g.t.Helper()
	const period = 100_000
	quota := strconv.Itoa(int(math.Round(cpus * period)))
	switch {
	case g.Version() == 1 && cpus == 0:
		g.write(g.dirs[0], "cpu.cfs_quota_us", "-1")
	case g.Version() == 1:
		g.write(g.dirs[0], "cpu.cfs_quota_us", quota)
	case cpus == 0:
		g.write(g.dirs[0], "cpu.max", "max")
	default:
		g.write(g.dirs[0], "cpu.max", fmt.Sprintf("%s %d", quota, period))
	}
}

// Prefer gives the group the CPUs before the rest of the machine, so that a
// measurement is not of the neighbours.
func (g *Group) Prefer() {
	g.t.Helper()
	if g.Version() == 1 {
		g.write(g.dirs[0], "cpu.shares", "262144")
		return
	}
	g.write(g.dirs[0], "cpu.weight", "10000")
}

// SetMemory limits the group's memory to bytes, [NoLimit] for none.
func (g *Group) SetMemory(bytes int64) {
	g.t.Helper()
	if g.Version() == 2 {
		g.write(g.dirs[0], "memory.max", limit(bytes, "max"))
		return
	}
	g.write(g.dirs[1], "memory.limit_in_bytes", limit(bytes, "-1"))
}

// SetMemoryHigh sets where the kernel starts to throttle the group, [NoLimit]
// for nowhere. The test skips with cgroup v1, which has no such limit.
func (g *Group) SetMemoryHigh(bytes int64) {
	g.t.Helper()
	if g.Version() == 1 {
		g.t.Skip("memory.high needs cgroup v2")
	}
	g.write(g.dirs[0], "memory.high", limit(bytes, "max"))
}

func limit(bytes int64, none string) string {
	if bytes == NoLimit {
		return none
	}
	return strconv.FormatInt(bytes, 10)
}

// Move moves a process into the group.
func (g *Group) Move(pid int) {
	g.t.Helper()
	for _, dir := range g.dirs {
		g.write(dir, procsFile, strconv.Itoa(pid))
	}
}

// OOMKills is how many processes of the group the kernel has killed for want
// of memory.
func (g *Group) OOMKills() int {
	g.t.Helper()
	dir, file := g.dirs[0], "memory.events"
	if g.Version() == 1 {
		dir, file = g.dirs[1], "memory.oom_control"
	}
	for line := range strings.Lines(g.read(dir, file)) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			kills, _ := strconv.Atoi(n)
			return kills
		}
	}
	g.t.Fatalf("%s has no oom_kill", filepath.Join(dir, file))
	return 0
}

// PeakMemory is the most memory that the group has used, in bytes; 0 where the
// kernel does not keep it.
func (g *Group) PeakMemory() int64 {
	file := filepath.Join(g.dirs[0], "memory.peak")
	if g.Version() == 1 {
		file = filepath.Join(g.dirs[1], "memory.max_usage_in_bytes")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	peak, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return peak
}

func newGroup(t testing.TB, dirs ...string) *Group {
	t.Helper()
	g := &Group{t: t}
	if err := startJanitor(); err != nil {
		t.Fatalf("the process that removes groups after a crash: %v", err)
	}
	for _, dir := range dirs {
		tellJanitor("+", dir) // before it exists, so that no moment is left out
		if err := os.Mkdir(dir, 0o755); err != nil {
			tellJanitor("-", dir)
			t.Skip("no control groups: " + err.Error())
		}
		g.dirs = append(g.dirs, dir)
		t.Cleanup(func() {
			if err := remove(dir); err != nil {
				t.Errorf("the control group stays behind: %v", err)
				return
			}
			tellJanitor("-", dir)
		})
	}
	return g
}

// unavailable says why there are no control groups for tests, or "".
func unavailable() string {
	if os.Getenv("GRPCX_EMULATOR") != "" {
		return "the tests run under an emulator, which the kernel cannot start"
	}
	if os.Geteuid() != 0 {
		return "not root"
	}
	if onlyV2() {
		enabled, err := os.ReadFile(filepath.Join(root, "cgroup.subtree_control"))
		if err != nil {
			return err.Error()
		}
		for _, controller := range []string{"cpu", "memory"} {
			if !strings.Contains(" "+strings.TrimSpace(string(enabled))+" ", " "+controller+" ") {
				return "the controller " + controller + " is not enabled below " + root
			}
		}
		return ""
	}
	for _, hierarchy := range []string{"cpu", "memory"} {
		if dir := filepath.Join(root, hierarchy); !isFS(dir, unix.CGROUP_SUPER_MAGIC) {
			return dir + " is no hierarchy"
		}
	}
	return ""
}

// onlyV2 reports whether the root is the unified hierarchy. Where it is not,
// as on a hybrid system, cpu and memory are those of v1.
func onlyV2() bool { return isFS(root, unix.CGROUP2_SUPER_MAGIC) }

func isFS(dir string, magic int64) bool {
	var s unix.Statfs_t
	return unix.Statfs(dir, &s) == nil && int64(s.Type) == magic //nolint:unconvert // the width differs between architectures
}

func (g *Group) read(dir, file string) string {
	g.t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		g.t.Fatal(err)
	}
	return string(text)
}

func (g *Group) write(dir, file, text string) {
	g.t.Helper()
	if err := write(dir, file, text); err != nil {
		g.t.Fatal(err)
	}
}

// write writes to a file of a group, which must exist.
func write(dir, file, text string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		f.Close()
		return fmt.Errorf("%q: %w", text, err)
	}
	return f.Close()
}
