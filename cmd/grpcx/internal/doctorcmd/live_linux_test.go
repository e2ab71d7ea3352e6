package doctorcmd_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/cgrouptest"
	"github.com/grpcx-go/sdk/runtimex"
)

// command is the program with nothing but the given settings of the runtime in
// its environment.
func command(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	assert.NoError(t, err)
	argv := []string{self}
	if emulator := os.Getenv("GRPCX_EMULATOR"); emulator != "" {
		argv = []string{emulator, os.Args[0]} // see docs/arm64.md
	}
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains([]string{"GOMAXPROCS", "GOMEMLIMIT", "GOGC", "GODEBUG"}, name)
	})
	cmd.Env = append(append(cmd.Env, childEnv+"=doctor -o json", "GORACE=atexit_sleep_ms=0"), env...)
	return cmd
}

// doctor starts the program and returns its report, which must say what Apply
// does in the same process.
func doctor(t *testing.T, cmd *exec.Cmd, start func(*exec.Cmd) error) (report, int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	assert.NoError(t, start(cmd))
	_ = cmd.Wait() // the exit code is the result
	code := cmd.ProcessState.ExitCode()
	if code == cgrouptest.ExitUnsupported {
		t.Skip(errs.String())
	}
	if code > 1 || code < 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	line, rest, _ := strings.Cut(out.String(), "\n")
	var a applied
	assert.NoError(t, json.Unmarshal([]byte(line), &a), line)
	r := parse(t, rest)
	assert.Equal(t, code == 1, r.Errors > 0)
	for name, want := range map[string]runtimex.Snapshot{"gomaxprocs": a.Report.GOMAXPROCS, "gomemlimit": a.Report.GOMEMLIMIT, "gogc": a.Report.GOGC} {
		got := r.Runtime[name]
		assert.Equal(t, got.Value, want.Value, name)
		assert.Equal(t, got.Source, string(want.Source), name)
		assert.Equal(t, got.Reason, want.Reason, name)
	}
	assert.Equal(t, r.Runtime["gomaxprocs"].Value, int64(a.Procs))
	assert.Equal(t, r.Runtime["gomemlimit"].Value, a.Memory)
	assert.Equal(t, r.Runtime["gogc"].Value, int64(a.GOGC))
	return r, code
}

// doctorIn does so in a control group.
func doctorIn(t *testing.T, g *cgrouptest.Group, view cgrouptest.View, env ...string) (report, int) {
	t.Helper()
	return doctor(t, command(t, env...), func(cmd *exec.Cmd) error { return g.Start(cmd, cgrouptest.Placement{View: view}) })
}

// TestLiveLimits: the report follows the limits of the group, on the levels
// above, too, and as a container sees them.
func TestLiveLimits(t *testing.T) {
	for _, view := range []cgrouptest.View{cgrouptest.Host, cgrouptest.Container, cgrouptest.Bind} {
		t.Run("view "+string(view), func(t *testing.T) {
			g := cgrouptest.New(t, "doctor")
			g.SetMemory(256 << 20)
			g.SetCPU(1.5)
			r, _ := doctorIn(t, g, view)
			assert.Equal(t, r.Limits.CPUQuota, 1.5)
			assert.Equal(t, r.Limits.Memory, 256<<20)
			assert.Equal(t, r.Container.Versions, []int{g.Version()})
			procs, memory := r.Runtime["gomaxprocs"], r.Runtime["gomemlimit"]
			assert.Equal(t, procs.Value, int64(min(2, runtime.NumCPU())))
			assert.Contains(t, procs.Reason, "CPU quota 1.5")
			assert.Equal(t, memory.Value, 224<<20)
			assert.Equal(t, memory.Source, "cgroup")
			assert.Equal(t, memory.WithoutSDK, 1<<63-1)
			assert.Contains(t, r.of("cgroup.limits")[0].Text, "CPU quota 1.5", "memory limit 256 MiB")
			assert.Equal(t, r.of("runtime.gomemlimit")[0].Level, "ok")
			assert.Equal(t, len(r.of("cgroup.unreadable")), 0)
		})
	}
}

// TestLiveAncestor: a limit above the group of the process counts.
func TestLiveAncestor(t *testing.T) {
	g := cgrouptest.New(t, "doctor")
	g.SetMemory(512 << 20)
	r, _ := doctorIn(t, g.Child("leaf"), cgrouptest.Host)
	assert.Equal(t, r.Limits.Memory, 512<<20)
	assert.Equal(t, r.Runtime["gomemlimit"].Value, 512<<20-512<<20/10)
}

// TestLiveEnvironment: what the environment asks for, against the limits.
func TestLiveEnvironment(t *testing.T) {
	g := cgrouptest.New(t, "doctor")
	g.SetMemory(256 << 20)
	g.SetCPU(1)
	r, _ := doctorIn(t, g, cgrouptest.Host, "GOMAXPROCS=64", "GOMEMLIMIT=1GiB", "GODEBUG=updatemaxprocs=0")
	for _, id := range []string{"runtime.gomaxprocs", "runtime.gomemlimit", "runtime.godebug"} {
		assert.Equal(t, r.of(id)[0].Level, "warning", id)
	}
	assert.Equal(t, r.Runtime["gomaxprocs"].Value, 64)
	assert.Equal(t, r.Runtime["gomaxprocs"].Source, "env")
	assert.Contains(t, r.of("runtime.gomemlimit")[0].Text, "1024 MiB", "256 MiB")

	r, code := doctorIn(t, g, cgrouptest.Host, "GOGC=off", "GOMEMLIMIT=off")
	assert.Equal(t, code, 1)
	assert.Equal(t, r.of("runtime.gogc")[0].Level, "error")
}

// TestLiveHalf: half a CPU, and memory for little else than the program.
func TestLiveHalf(t *testing.T) {
	g := cgrouptest.New(t, "doctor")
	g.SetMemory(256 << 20)
	g.SetCPU(0.5)
	r, _ := doctorIn(t, g, cgrouptest.Host)
	assert.Equal(t, r.Limits.CPUQuota, 0.5)
	assert.Equal(t, r.Runtime["gomaxprocs"].Value, int64(min(2, runtime.NumCPU())))
	assert.Equal(t, r.Runtime["gomemlimit"].Value, 224<<20)
	assert.Contains(t, r.of("cgroup.limits")[0].Text, "CPU quota 0.5, memory limit 256 MiB", g.Dirs()[0])
}

// TestLiveRuntime: the variables of the runtime, whatever they say.
func TestLiveRuntime(t *testing.T) {
	start := (*exec.Cmd).Start
	r, code := doctor(t, command(t, "GOMAXPROCS=1", "GOMEMLIMIT=1MiB", "GOGC=off"), start)
	assert.Equal(t, code, 0)
	assert.Equal(t, r.Runtime["gomaxprocs"].Value, 1)
	assert.Equal(t, r.Runtime["gomemlimit"].Value, 1<<20)
	assert.Equal(t, r.Runtime["gogc"].Value, -1)
	assert.Equal(t, r.of("runtime.gomaxprocs")[0].Level, "ok")
	assert.Contains(t, r.of("runtime.gomemlimit")[0].Text, "less than the ", "this program alone takes")
	assert.Contains(t, r.of("runtime.gogc")[0].Text, "GOGC is off: the heap always fills the memory limit")

	r, code = doctor(t, command(t, "GOMAXPROCS=many", "GOGC=often"), start)
	assert.Equal(t, code, 0)
	assert.Contains(t, r.of("runtime.gomaxprocs")[0].Text, `GOMAXPROCS="many"`, "ignores it")
	assert.Contains(t, r.of("runtime.gogc")[0].Text, `GOGC="often"`, "ignores it and uses 100")

	r, code = doctor(t, command(t, "GOGC=off", "GOMEMLIMIT=off"), start)
	assert.Equal(t, code, 1)
	assert.Equal(t, r.of("runtime.gogc")[0].Level, "error")
}

// TestLiveFiles: the limit of open files, which the shell lowers.
func TestLiveFiles(t *testing.T) {
	cmd := command(t)
	cmd.Args = append([]string{"sh", "-c", `ulimit -n 64 && exec "$@"`, "sh"}, cmd.Args...)
	cmd.Path = "/bin/sh"
	r, _ := doctor(t, cmd, (*exec.Cmd).Start)
	assert.Equal(t, r.Server.FilesHard, 64)
	assert.Equal(t, r.Server.FilesSoft, 64)
	assert.Equal(t, r.Server.MaxConnections, 48)
	files := r.of("limits.files")[0]
	assert.Equal(t, files.Level, "warning")
	assert.Contains(t, files.Text, "at most 64 files", "Limits.MaxConnections is 48")
}

// TestLiveUser: another user reads the same limits, and may not have every port.
func TestLiveUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it takes root to become another user")
	}
	if first, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err != nil || strings.TrimSpace(string(first)) == "0" {
		t.Skip("every user has every port here")
	}
	if os.Getenv("GRPCX_EMULATOR") != "" {
		t.Skip("the emulator opens the program by its name, in a directory of root's")
	}
	as := func(uid uint32) report {
		cmd := command(t)
		cmd.Env = append(cmd.Env, childEnv+"=doctor -o json --addr 127.0.0.1:1")
		cmd.Path = "/proc/self/exe" // the name is in a directory that only root may enter
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		r, _ := doctor(t, cmd, (*exec.Cmd).Start)
		return r
	}
	root, nobody := as(0), as(65534)
	assert.Equal(t, nobody.Limits, root.Limits)
	assert.Equal(t, nobody.Runtime, root.Runtime)
	port := nobody.of("addr.bind")[0]
	assert.Equal(t, port.Level, "error")
	assert.Contains(t, port.Text, "permission denied")
	assert.Contains(t, port.Remedy, "1024 or above", "CAP_NET_BIND_SERVICE")
}

// TestLiveUnlimited: no limit is not invented.
func TestLiveUnlimited(t *testing.T) {
	r, _ := doctorIn(t, cgrouptest.New(t, "doctor"), cgrouptest.Container)
	assert.Equal(t, r.Limits.CPUQuota, 0)
	assert.Equal(t, r.Runtime["gomaxprocs"].Value, int64(runtime.NumCPU()))
	assert.Contains(t, r.of("cgroup.limits")[0].Text, "CPU quota none")
}
