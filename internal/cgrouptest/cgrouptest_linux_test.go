package cgrouptest_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/cgrouptest"
	"github.com/grpcx-go/sdk/internal/leak"
)

// childEnv makes the test binary do one thing instead of running tests.
const childEnv = "CGROUPTEST_TEST_CHILD"

func TestMain(m *testing.M) {
	cgrouptest.Main()
	switch os.Getenv(childEnv) {
	case "":
		leak.Main(m, cgrouptest.Close)
	case "look":
		look()
	case "crash":
		// The one test that runs, below, ends this process as a timeout
		// would: without any cleanup.
		m.Run()
	default:
		os.Exit(2)
	}
}

// look prints what the process was started with, and then waits for the end of
// its input.
func look() {
	groups, _ := os.ReadFile("/proc/self/cgroup")
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	var set unix.CPUSet
	_ = unix.SchedGetaffinity(0, &set)
	fmt.Printf("%q %q %d\n", groups, mounts, set.Count())
	_, _ = os.Stdin.Read(make([]byte, 1))
}

type child struct {
	*exec.Cmd
	groups, mounts string
	cpus           int
}

func startLook(t *testing.T, g *cgrouptest.Group, p cgrouptest.Placement) *child {
	t.Helper()
	self, err := os.Executable()
	assert.NoError(t, err)
	c := &child{Cmd: exec.Command(self)}
	c.Env = append(os.Environ(), childEnv+"=look", "GORACE=atexit_sleep_ms=0")
	c.Stderr = os.Stderr
	stdin, err := c.StdinPipe()
	assert.NoError(t, err)
	stdout, err := c.StdoutPipe()
	assert.NoError(t, err)
	assert.NoError(t, g.Start(c.Cmd, p))
	t.Cleanup(func() {
		stdin.Close()
		c.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		c.Wait()
		if c.ProcessState.ExitCode() == cgrouptest.ExitUnsupported {
			t.Skip("the kernel refuses it")
		}
		t.Fatal(err)
	}
	_, err = fmt.Sscanf(line, "%q %q %d", &c.groups, &c.mounts, &c.cpus)
	assert.NoError(t, err, line)
	return c
}

func TestStartInside(t *testing.T) {
	g := cgrouptest.New(t, "outer").Child("inner")
	name := filepath.Base(filepath.Dir(g.Dirs()[0])) + "/inner\n"
	c := startLook(t, g, cgrouptest.Placement{CPUs: []int{0}})
	assert.Equal(t, c.cpus, 1)
	assert.Equal(t, strings.Count(c.groups, name), len(g.Dirs()), c.groups)
	assert.Equal(t, g.OOMKills(), 0)

	other := cgrouptest.New(t, "other")
	other.Move(c.Process.Pid)
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", c.Process.Pid))
	assert.NoError(t, err)
	assert.NotContains(t, string(groups), name)
	assert.Equal(t, strings.Count(string(groups), filepath.Base(other.Dirs()[0])+"\n"), len(g.Dirs()))
}

func TestLimits(t *testing.T) {
	g := cgrouptest.New(t, "limits")
	g.SetCPU(1.5)
	g.SetMemory(64 << 20)
	cpu, memory := "cpu.max", "memory.max"
	wantCPU, none := "150000 100000\n", "max\n"
	if g.Version() == 1 {
		cpu, memory, wantCPU, none = "cpu.cfs_quota_us", "memory.limit_in_bytes", "150000\n", "9223372036854771712\n"
	}
	dirs := g.Dirs()
	read := func(dir, file string) string {
		text, err := os.ReadFile(filepath.Join(dir, file))
		assert.NoError(t, err)
		return string(text)
	}
	assert.Equal(t, read(dirs[0], cpu), wantCPU)
	assert.Equal(t, read(dirs[len(dirs)-1], memory), "67108864\n")
	g.SetCPU(0)
	g.SetMemory(cgrouptest.NoLimit)
	assert.NotContains(t, read(dirs[0], cpu), "150000")
	if page := os.Getpagesize(); page == 4096 {
		assert.Equal(t, read(dirs[len(dirs)-1], memory), none)
	}
}

func TestViews(t *testing.T) {
	for _, view := range []cgrouptest.View{
		cgrouptest.Container, cgrouptest.Unmounted, cgrouptest.Bind, cgrouptest.Stacked,
	} {
		t.Run(string(view), func(t *testing.T) {
			g := cgrouptest.New(t, string(view))
			name := filepath.Base(g.Dirs()[0])
			c := startLook(t, g, cgrouptest.Placement{View: view})
			mounts := 0
			for line := range strings.Lines(c.mounts) {
				fields := strings.Fields(line)
				mount := "/sys/fs/cgroup"
				if g.Version() == 1 {
					mount += "/memory"
				}
				if fields[4] != mount {
					continue
				}
				mounts++
				switch view {
				case cgrouptest.Container:
					assert.Equal(t, fields[3], "/")
				case cgrouptest.Unmounted:
					assert.Equal(t, fields[3], "/..")
				case cgrouptest.Bind:
					assert.Equal(t, fields[3], "/"+name)
				case cgrouptest.Stacked:
					assert.Equal(t, fields[3], []string{"/..", "/"}[mounts-1])
				}
			}
			assert.Equal(t, strings.Contains(c.groups, name), view == cgrouptest.Bind, c.groups)
			assert.Equal(t, mounts == 2, view == cgrouptest.Stacked, c.mounts)
		})
	}
}

// TestRemoved: groups end with their test, with what runs in them.
func TestRemoved(t *testing.T) {
	var dirs []string
	t.Run("test", func(t *testing.T) {
		g := cgrouptest.New(t, "left")
		inner := g.Child("inner")
		self, err := os.Executable()
		assert.NoError(t, err)
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), childEnv+"=look")
		r, w, err := os.Pipe() // never written to
		assert.NoError(t, err)
		cmd.Stdin = r
		assert.NoError(t, inner.Start(cmd, cgrouptest.Placement{}))
		t.Cleanup(func() { r.Close(); w.Close() })
		dirs = append(g.Dirs(), inner.Dirs()...)
		for _, dir := range dirs {
			_, err := os.Stat(dir)
			assert.NoError(t, err)
		}
	})
	for _, dir := range dirs {
		_, err := os.Stat(dir)
		assert.ErrorIs(t, err, os.ErrNotExist)
	}
}

// TestRemovedAfterCrash: also when the test process is gone.
func TestRemovedAfterCrash(t *testing.T) {
	if os.Getenv(childEnv) == "crash" {
		g := cgrouptest.New(t, "crash")
		fmt.Println(strings.Join(append(g.Dirs(), g.Child("inner").Dirs()...), " "))
		assert.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
		select {}
	}
	cgrouptest.New(t, "probe") // skips where it must
	self, err := os.Executable()
	assert.NoError(t, err)
	cmd := exec.Command(self, "-test.run=^TestRemovedAfterCrash$")
	cmd.Env = append(os.Environ(), childEnv+"=crash")
	out, err := cmd.Output()
	assert.True(t, err != nil, "the process did not crash")
	dirs := strings.Fields(string(out))
	assert.True(t, len(dirs) >= 2, string(out))
	deadline := time.After(10 * time.Second)
	for _, dir := range dirs {
		for {
			if _, err := os.Stat(dir); os.IsNotExist(err) {
				break
			}
			select {
			case <-deadline:
				t.Fatalf("%s is still there", dir)
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
}
