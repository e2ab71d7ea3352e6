package runtimex_test

import (
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/cgrouptest"
	"github.com/grpcx-go/sdk/runtimex"
)

// TestLiveUndo: the last Undo of several puts every setting back, and the
// runtime tracks limits again, which it never does after automaxprocs.
func TestLiveUndo(t *testing.T) {
	q := liveQuotas(t)
	all := liveCPUs(t)
	for _, policy := range []string{q.policy, "floor"} {
		t.Run(policy, func(t *testing.T) {
			parent := cgrouptest.New(t, "undo")
			g := parent.Child("leaf")
			parent.SetCPU(q.low) // which the runtime does not see
			g.SetMemory(512 * mib)
			l := startLive(t, g, cgrouptest.Placement{}, liveSpec{Policy: policy, Mode: runtimex.Throughput})
			assert.Equal(t, values(l.first), [3]int64{int64(q.low), 512*mib - 512*mib/10, 400})

			l.do("apply")
			assert.Equal(t, values(*l.do("undo").State), values(l.first))
			s := *l.do("undo").State // four times at once
			assert.Equal(t, values(s), [3]int64{int64(len(all)), runtimex.NoLimit, 100})
			for _, snapshot := range []runtimex.Snapshot{s.Report.GOMAXPROCS, s.Report.GOMEMLIMIT, s.Report.GOGC} {
				assert.Equal(t, snapshot.Source, runtimex.SourceRuntime)
			}

			l.do("busy")
			if len(all) > 3 {
				parent.SetCPU(0)
				g.SetCPU(3)
				t.Log("quota followed after", l.eventually("3", func(s liveState) bool { return s.Procs == 3 }))
			}
			l.setAffinity(all[0])
			t.Log("affinity followed after", l.eventually("1", func(s liveState) bool { return s.Procs == 1 }))
		})
	}
}

// TestLiveUndoTakesBackNothingElse: what the program set before Apply is there
// again, and what it set afterwards stays.
func TestLiveUndoTakesBackNothingElse(t *testing.T) {
	q := liveQuotas(t)
	g := cgrouptest.New(t, "undo")
	g.SetCPU(q.low)
	g.SetMemory(256 * mib)
	before := liveSpec{Procs: int(q.high), Limit: 1 << 30, GOGC: 80, Policy: q.policy}
	t.Run("before", func(t *testing.T) {
		l := startLive(t, g, cgrouptest.Placement{}, before)
		assert.Equal(t, values(l.first), [3]int64{int64(q.low), 224 * mib, 80})
		assert.Equal(t, values(*l.do("undo").State), [3]int64{int64(q.high), 1 << 30, 80})
	})
	t.Run("after", func(t *testing.T) {
		l := startLive(t, g, cgrouptest.Placement{}, before)
		l.do("procs %d", 1+int(q.high))
		l.do("limit %d", 99*mib)
		l.do("gogc %d", 70)
		assert.Equal(t, values(*l.do("undo").State), [3]int64{1 + int64(q.high), 99 * mib, 70})
	})
	t.Run("applied again", func(t *testing.T) {
		l := startLive(t, g, cgrouptest.Placement{}, before)
		l.do("undo")
		assert.Equal(t, values(*l.do("apply").State), values(l.first))
		g.SetMemory(512 * mib)
		l.tuned(runtimex.GOMEMLIMIT, 512*mib-512*mib/10, time.Now())
	})
}

// TestLiveSetByProgram: values set in code are never raised, and survive that
// there is no limit, where automemlimit removes them.
func TestLiveSetByProgram(t *testing.T) {
	g := cgrouptest.New(t, "code")
	l := startLive(t, g, cgrouptest.Placement{}, liveSpec{Procs: 1, Limit: 100 * mib, GOGC: 70, Mode: runtimex.Throughput})
	want := [3]int64{1, 100 * mib, 70}
	assert.Equal(t, values(l.first), want)
	for _, snapshot := range []runtimex.Snapshot{l.first.Report.GOMEMLIMIT, l.first.Report.GOGC} {
		assert.Equal(t, snapshot.Source, runtimex.SourceCode)
	}
	g.SetCPU(2)
	g.SetMemory(64 * mib) // tighter, so it counts
	l.tuned(runtimex.GOMEMLIMIT, 64*mib-64*mib/5, time.Now())
	g.SetMemory(256 * mib)
	l.tuned(runtimex.GOMEMLIMIT, 100*mib, time.Now())
	g.SetMemory(64 * mib)
	l.tuned(runtimex.GOMEMLIMIT, 64*mib-64*mib/5, time.Now())
	g.SetMemory(cgrouptest.NoLimit)
	l.tuned(runtimex.GOMEMLIMIT, 100*mib, time.Now())
	assert.Equal(t, values(l.state()), want)
	assert.Equal(t, values(*l.do("undo").State), want)
}

// TestLiveEnvironment: what the operator set wins over the limits of the group,
// unless the program says otherwise.
func TestLiveEnvironment(t *testing.T) {
	q := liveQuotas(t)
	g := cgrouptest.New(t, "env")
	g.SetCPU(q.low)
	g.SetMemory(256 * mib)
	env := []string{"GOMAXPROCS=7", "GOMEMLIMIT=off", "GOGC=off"}
	spec := liveSpec{Policy: q.policy, Mode: runtimex.Compact}
	s := startLive(t, g, cgrouptest.Placement{}, spec, env...).first
	assert.Equal(t, values(s), [3]int64{7, runtimex.NoLimit, runtimex.GCOff})
	for _, snapshot := range []runtimex.Snapshot{s.Report.GOMAXPROCS, s.Report.GOMEMLIMIT, s.Report.GOGC} {
		assert.Equal(t, snapshot.Source, runtimex.SourceEnv)
	}

	spec.Override = true
	l := startLive(t, g, cgrouptest.Placement{}, spec, env...)
	assert.Equal(t, values(l.first), [3]int64{int64(q.low), 224 * mib, 50})
	assert.Equal(t, values(*l.do("undo").State), values(s))
}

func values(s liveState) [3]int64 { return [3]int64{int64(s.Procs), s.Limit, s.GOGC} }
