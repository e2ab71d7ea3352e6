package runtimex_test

import (
	"encoding/json"
	"syscall"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

func TestPressureV2(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, kubernetesV2)
	// As read from a kernel that was started with psi=0.
	tree.deny("sys/fs/cgroup/memory.pressure", syscall.EOPNOTSUPP)
	r := newReader(t, tree)
	readLimits(t, r)
	p, err := r.Pressure()
	assert.NoError(t, err)
	want := runtimex.Pressure{
		CPU:    runtimex.CPUPressure{Periods: 1200, Throttled: 77, ThrottledTime: 5012345 * time.Microsecond},
		Memory: runtimex.MemoryPressure{High: 170, Max: 12, OOM: 1, OOMKill: 1},
		CPUStall: runtimex.Stall{
			Present: true,
			Some:    runtimex.StallTime{Avg10: 22.1, Avg60: 1.5, Avg300: 0.3, Total: 4000001 * time.Microsecond},
			Full:    runtimex.StallTime{Avg10: 1, Total: 4 * time.Millisecond},
		},
	}
	assert.Equal(t, p, want)

	text, err := json.Marshal(p)
	assert.NoError(t, err)
	assert.Contains(t, string(text),
		`{"cpu":{"periods":1200,"throttled":77,"throttled_time_ns":5012345000}`,
		`"memory":{"high":170,"max":12,"oom":1,"oom_kill":1}`,
		`"cpu_stall":{"present":true,"some":{"avg10":22.1,"avg60":1.5,"avg300":0.3,"total_ns":4000001000}`)
	assert.Equal(t, tree.leftOpen(), 4) // the files of the limits
}

func TestPressureV1(t *testing.T) {
	t.Parallel()
	r := newReader(t, detectTree(t, detectMachine, dockerV1))
	readLimits(t, r)
	p, err := r.Pressure()
	assert.NoError(t, err)
	assert.Equal(t, p, runtimex.Pressure{
		CPU:    runtimex.CPUPressure{Periods: 41, Throttled: 7, ThrottledTime: 1234567890},
		Memory: runtimex.MemoryPressure{Max: 99, OOMKill: 3},
	})
}

// TestPressureHybrid: stalls come from the v2 hierarchy, though it limits
// nothing.
func TestPressureHybrid(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, dockerV1)
	tree.set("proc/self/cgroup", "5:cpu,cpuacct:/docker/c33988ec7651\n11:memory:/docker/c33988ec7651\n0::/x\n")
	tree.set("proc/self/mountinfo", tree.files["proc/self/mountinfo"]+"600 516 0:40 /x /sys/fs/cgroup/unified ro - cgroup2 cgroup rw\n")
	tree.set("sys/fs/cgroup/unified/io.pressure", "some avg10=1.00 avg60=2.00 avg300=3.00 total=4\n")
	r := newReader(t, tree)
	readLimits(t, r)
	p, err := r.Pressure()
	assert.NoError(t, err)
	assert.Equal(t, p.IOStall, runtimex.Stall{
		Present: true, Some: runtimex.StallTime{Avg10: 1, Avg60: 2, Avg300: 3, Total: 4 * time.Microsecond},
	})
	assert.Equal(t, p.CPU.Periods, 41)
}

func TestPressureErrors(t *testing.T) {
	t.Parallel()
	tree := detectTree(t, detectMachine, kubernetesV2)
	tree.set("sys/fs/cgroup/cpu.stat", "nr_periods many\nnr_throttled 5\n")
	tree.set("sys/fs/cgroup/cpu.pressure", "some avg10=NaN avg60=0.00 avg300=0.00 total=0\n")
	tree.deny("sys/fs/cgroup/memory.events", syscall.EACCES)
	r := newReader(t, tree)
	readLimits(t, r)
	p, err := r.Pressure()
	assert.ErrorContains(t, err, "/cpu.stat: malformed", "/memory.events: ", "permission denied", "/cpu.pressure: malformed")
	assert.Equal(t, p.CPU.Throttled, 5)
	assert.Equal(t, p.CPUStall, runtimex.Stall{})
	assert.True(t, p.MemoryStall.Present)
}

// TestPressureBeforeRead: there is no group to ask yet.
func TestPressureBeforeRead(t *testing.T) {
	t.Parallel()
	p, err := newReader(t, detectTree(t, detectMachine, kubernetesV2)).Pressure()
	assert.NoError(t, err)
	assert.Equal(t, p, runtimex.Pressure{})
}
