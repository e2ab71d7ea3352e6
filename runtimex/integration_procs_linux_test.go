package runtimex_test

import (
	"math"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/cgrouptest"
	"github.com/grpcx-go/sdk/runtimex"
)

// noWatch is a controller that only acts when it is applied.
var noWatch = liveSpec{Poll: -1, NoEvents: true}

// TestLiveNativeIsLeftAlone: where the runtime is right, Apply makes no call
// that would end its own tracking. Nothing of ours watches here, so it is the
// runtime that follows.
func TestLiveNativeIsLeftAlone(t *testing.T) {
	all := liveCPUs(t)
	if len(all) < 2 {
		t.Skip("one CPU is too few to tell outcomes apart")
	}
	g := cgrouptest.New(t, "native")
	g.SetCPU(2)
	l := startLive(t, g, cgrouptest.Placement{}, noWatch)
	assert.Equal(t, l.first.Procs, 2)
	assert.Equal(t, l.first.Report.GOMAXPROCS.Source, runtimex.SourceRuntime)
	assert.Equal(t, len(l.seen()), 0)
	l.do("busy")
	if len(all) > 3 {
		g.SetCPU(4)
		t.Log("quota 2 to 4 after", l.eventually("4", func(s liveState) bool { return s.Procs == 4 }))
		g.SetCPU(2.5)
		t.Log("quota 4 to 2.5 after", l.eventually("3", func(s liveState) bool { return s.Procs == 3 }))
	}
	l.setAffinity(all[0])
	t.Log("affinity 1 after", l.eventually("1", func(s liveState) bool { return s.Procs == 1 }))
}

// TestLiveQuotas compares policies for the quotas of a table with what they
// promise, and Floor with automaxprocs itself in the same group.
func TestLiveQuotas(t *testing.T) {
	n := len(liveCPUs(t))
	g := cgrouptest.New(t, "quotas")
	for _, quota := range []float64{.5, 1, 1.5, 2, 2.5, 3, 4.001, 16, 0} {
		ceil, floor := n, n
		if quota > 0 {
			ceil, floor = min(int(math.Ceil(quota)), n), min(max(int(quota), 1), n)
		}
		g.SetCPU(quota)
		oracle := startLive(t, g, cgrouptest.Placement{}, liveSpec{Automaxprocs: true}).first.Procs
		l := startLive(t, g, cgrouptest.Placement{}, noWatch)
		got := []int{l.first.Procs}
		for _, policy := range []string{"ceil", "floor"} {
			l.do("undo")
			l.do("policy %s", policy)
			got = append(got, l.do("apply").State.Procs)
		}
		assert.Equal(t, got, []int{min(max(ceil, 2), n), ceil, floor})
		assert.Equal(t, got[2], min(oracle, n))
		t.Logf("quota %v: native %d, ceil %d, floor %d; automaxprocs %d", quota, got[0], got[1], got[2], oracle)
	}
}

// TestLiveAffinity: a quota never leads beyond the affinity mask, where
// automaxprocs takes no notice of it.
func TestLiveAffinity(t *testing.T) {
	g := cgrouptest.New(t, "affinity")
	g.SetCPU(4)
	p := cgrouptest.Placement{CPUs: liveCPUs(t)[:1]}
	assert.Equal(t, startLive(t, g, p, liveSpec{Automaxprocs: true}).first.Procs, 4)
	for _, policy := range []string{"", "ceil", "floor"} {
		s := startLive(t, g, p, liveSpec{Policy: policy}).first
		assert.Equal(t, s.Procs, 1, policy)
		assert.Equal(t, s.Limits.CPUs, 1, policy)
		assert.Equal(t, s.Limits.CPUQuota, 4, policy)
	}
}

// TestLiveAncestor: the limit of an ancestor counts, which the runtime and
// automaxprocs do not see, and is followed; without it the runtime has its own
// way again.
func TestLiveAncestor(t *testing.T) {
	q := liveQuotas(t)
	parent := cgrouptest.New(t, "parent")
	leaf := parent.Child("leaf")
	parent.SetCPU(q.low)
	n := len(liveCPUs(t))
	for _, spec := range []liveSpec{{Bare: true}, {Automaxprocs: true}} {
		assert.Equal(t, startLive(t, leaf, cgrouptest.Placement{}, spec).first.Procs, n)
	}
	l := startLive(t, leaf, cgrouptest.Placement{}, liveSpec{Policy: q.policy})
	assert.Equal(t, l.first.Procs, int(q.low))
	procs := l.first.Report.GOMAXPROCS
	assert.Equal(t, procs.Source, runtimex.SourceCgroup)
	assert.Contains(t, procs.Reason, "parent", q.policy)

	since := time.Now()
	parent.SetCPU(q.high)
	t.Log("ancestor raised: after", l.tuned(runtimex.GOMAXPROCS, int64(q.high), since))
	parent.SetCPU(q.low)
	l.tuned(runtimex.GOMAXPROCS, int64(q.low), since)
	parent.SetCPU(0)
	l.tuned(runtimex.GOMAXPROCS, int64(n), since)
	assert.Equal(t, l.state().Report.GOMAXPROCS.Source, runtimex.SourceRuntime)
}

// TestLiveMigration: a process that is moved to another group follows the
// limits of that one, which the runtime does not.
func TestLiveMigration(t *testing.T) {
	q := liveQuotas(t)
	from, to := cgrouptest.New(t, "from"), cgrouptest.New(t, "to")
	from.SetCPU(q.low)
	from.SetMemory(256 * mib)
	to.SetCPU(q.high)
	to.SetMemory(1024 * mib)
	l := startLive(t, from, cgrouptest.Placement{}, liveSpec{Policy: q.policy})
	assert.Equal(t, l.first.Procs, int(q.low))
	assert.Equal(t, l.first.Limit, 224*mib)

	since := time.Now()
	to.Move(l.cmd.Process.Pid)
	took := l.tuned(runtimex.GOMEMLIMIT, 1024*mib-1024*mib/10, since)
	t.Log("migration after", took)
	assert.True(t, took < 5*time.Second, took.String())
	s := l.state()
	assert.Equal(t, s.Procs, int(q.high))

	// The events come from the new group from now on.
	since = time.Now()
	to.SetCPU(q.low)
	t.Log("limit of the new group after", l.tuned(runtimex.GOMAXPROCS, int64(q.low), since))
}

// TestLiveControllerEnabledLater: groups can get their limit files while the
// process is in them.
func TestLiveControllerEnabledLater(t *testing.T) {
	q := liveQuotas(t)
	parent := cgrouptest.New(t, "later")
	if parent.Version() == 1 {
		t.Skip("controllers cannot be enabled with cgroup v1")
	}
	leaf := parent.BareChild("leaf")
	l := startLive(t, leaf, cgrouptest.Placement{}, liveSpec{Policy: q.policy})
	assert.Equal(t, l.first.Procs, len(liveCPUs(t)))
	assert.Equal(t, l.first.Limit, runtimex.NoLimit)

	since := time.Now()
	parent.EnableControllers()
	leaf.SetCPU(q.low)
	leaf.SetMemory(256 * mib)
	took := l.tuned(runtimex.GOMEMLIMIT, 224*mib, since)
	t.Log("controllers after", took)
	assert.True(t, took < 5*time.Second, took.String())
	l.eventually("the quota", func(s liveState) bool { return s.Procs == int(q.low) })
}

// TestLiveLag: the runtime of an idle process follows late, and what it has not
// noticed yet is no choice of the program.
func TestLiveLag(t *testing.T) {
	all := liveCPUs(t)
	if len(all) < 2 {
		t.Skip("one CPU is too few to tell outcomes apart")
	}
	g := cgrouptest.New(t, "lag")
	l := startLive(t, g, cgrouptest.Placement{CPUs: all[:1]}, liveSpec{Bare: true})
	assert.Equal(t, l.first.Procs, 1)
	l.setAffinity(all...)
	s := *l.do("apply").State
	assert.Equal(t, s.Procs, len(all), s.Report.GOMAXPROCS.Reason)
	assert.Equal(t, s.Report.GOMAXPROCS.Source, runtimex.SourceRuntime)
}

// TestLiveLatency: a change is applied within two seconds by polls of each
// second, and at once where the kernel reports it, whether the process is busy
// or idle. The bounds are wider, for machines that are busy themselves.
func TestLiveLatency(t *testing.T) {
	q := liveQuotas(t)
	for _, tt := range []struct {
		name  string
		spec  liveSpec
		busy  bool
		bound time.Duration
	}{
		{"polls idle", liveSpec{NoEvents: true}, false, 5 * time.Second},
		{"polls busy", liveSpec{NoEvents: true}, true, 5 * time.Second},
		{"events idle", liveSpec{Poll: time.Minute}, false, 10 * time.Second},
		{"events busy", liveSpec{Poll: time.Minute}, true, 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := cgrouptest.New(t, "latency")
			g.SetCPU(q.high)
			tt.spec.Policy = q.policy
			l := startLive(t, g, cgrouptest.Placement{}, tt.spec)
			assert.Equal(t, l.first.Procs, int(q.high))
			if tt.busy {
				l.do("busy")
			}
			since := time.Now()
			g.SetCPU(q.low)
			took := l.tuned(runtimex.GOMAXPROCS, int64(q.low), since)
			assert.True(t, took < tt.bound, took.String())
			since = time.Now()
			g.SetMemory(256 * mib)
			memory := l.tuned(runtimex.GOMEMLIMIT, 224*mib, since)
			assert.True(t, memory < tt.bound, memory.String())
			t.Logf("quota lowered: %v; memory limited: %v", took, memory)
		})
	}
}
