package runtimex_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/cgrouptest"
	"github.com/grpcx-go/sdk/runtimex"
)

// TestLiveMemory: the memory limit follows that of the group down and up, a
// lower one is met at once, and without one the limit is what it was before.
func TestLiveMemory(t *testing.T) {
	needPlainMemory(t)
	g := cgrouptest.New(t, "memory")
	g.SetMemory(512 * mib)
	l := startLive(t, g, cgrouptest.Placement{}, liveSpec{})
	assert.Equal(t, l.first.Limit, 512*mib-512*mib/10)
	assert.Equal(t, l.first.Report.GOMEMLIMIT.Source, runtimex.SourceCgroup)
	l.do("garbage 150")
	used := l.state().InUse
	assert.True(t, used > 145*mib, "the garbage is gone already")

	since := time.Now()
	g.SetMemory(170 * mib) // less would be below what the group uses
	took := l.tuned(runtimex.GOMEMLIMIT, 138*mib, since)
	l.eventually("released", func(s liveState) bool { return s.InUse < 60*mib })
	t.Logf("shrunk after %v; in use %d MiB, then %d MiB", took, used/mib, l.state().InUse/mib)
	assert.Equal(t, g.OOMKills(), 0)

	since = time.Now()
	g.SetMemory(1024 * mib)
	t.Log("grown after", l.tuned(runtimex.GOMEMLIMIT, 1024*mib-1024*mib/10, since))
	g.SetMemory(cgrouptest.NoLimit)
	l.tuned(runtimex.GOMEMLIMIT, runtimex.NoLimit, since)
	assert.Equal(t, l.state().Report.GOMEMLIMIT.Source, runtimex.SourceRuntime)
}

// TestLiveMemoryLevels: the tightest of all levels counts, memory.high too.
func TestLiveMemoryLevels(t *testing.T) {
	t.Run("ancestor", func(t *testing.T) {
		parent := cgrouptest.New(t, "parent")
		leaf := parent.Child("leaf")
		parent.SetMemory(256 * mib)
		l := startLive(t, leaf, cgrouptest.Placement{}, liveSpec{})
		assert.Equal(t, l.first.Limit, 224*mib)
		parent.SetMemory(512 * mib)
		l.tuned(runtimex.GOMEMLIMIT, 512*mib-512*mib/10, time.Now())
		leaf.SetMemory(128 * mib)
		l.tuned(runtimex.GOMEMLIMIT, 128*mib-128*mib/5, time.Now())
	})
	t.Run("high", func(t *testing.T) {
		g := cgrouptest.New(t, "high")
		g.SetMemory(256 * mib)
		g.SetMemoryHigh(150 * mib)
		l := startLive(t, g, cgrouptest.Placement{}, liveSpec{})
		assert.Equal(t, l.first.Limit, 120*mib)
		assert.Contains(t, l.first.Report.GOMEMLIMIT.Reason, "memory.high")
		g.SetMemoryHigh(cgrouptest.NoLimit)
		l.tuned(runtimex.GOMEMLIMIT, 224*mib, time.Now())
	})
}

// load is one run of the load in a group of its own.
type load struct {
	loadResult
	killed bool
	peak   int64
	events []liveEvent
}

func (r load) String() string {
	if r.killed {
		return fmt.Sprintf("killed for want of memory, peak %d MiB", r.peak/mib)
	}
	return fmt.Sprintf("%.0f requests/s, p50 %v, p99 %v, GC %.1f %%, %d cycles, peak %d MiB",
		r.RPS, r.P50, r.P99, 100*r.GC, r.Cycles, r.peak/mib)
}

// needRealSpeed skips what an emulated machine is too slow for.
func needRealSpeed(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	if os.Getenv("GRPCX_VM") != "" {
		t.Skip("an emulated machine is too slow for a load that means something")
	}
}

// runLoad runs the load in 256 MiB. The child has two threads, as a container
// of that size.
func runLoad(t *testing.T, high int64, work loadSpec, spec liveSpec, env ...string) load {
	t.Helper()
	needPlainMemory(t)
	all := liveCPUs(t)
	g := cgrouptest.New(t, "load")
	g.Prefer()
	g.SetMemory(256 * mib)
	if high > 0 {
		g.SetMemoryHigh(high)
	}
	p := cgrouptest.Placement{CPUs: all[:min(2, len(all))]}
	l := startLive(t, g, p, spec, env...)
	m, err := l.try("load %s", work)
	r := load{killed: g.OOMKills() > 0, peak: g.PeakMemory(), events: l.seen()}
	if err == nil {
		r.loadResult = *m.Load
	} else if !r.killed {
		t.Fatal(err)
	}
	return r
}

// TestLiveSpikes: 100 MiB of live data and spikes of 80 MiB fit 256 MiB with
// the default headroom, and do not without Apply.
func TestLiveSpikes(t *testing.T) {
	needRealSpeed(t)
	work, runs := loadSpec{LiveMiB: 100, SpikeMiB: 80, For: 2 * time.Second}, 1
	if fullLoad() {
		work.For, runs = 8*time.Second, 10
	}
	for i := range runs {
		r := runLoad(t, 0, work, liveSpec{})
		t.Logf("run %d: %v", i+1, r)
		assert.True(t, !r.killed, r.String())
	}
	if !fullLoad() {
		return
	}
	none := runLoad(t, 0, work, liveSpec{Bare: true})
	t.Logf("no Apply: %v", none)
	assert.True(t, none.killed, "the load proves nothing")
	t.Logf("no Apply, GOGC=off and a limit of 0.9: %v",
		runLoad(t, 0, work, liveSpec{Bare: true}, "GOGC=off", naiveLimit))
}

// naiveLimit is nine tenths of 256 MiB.
var naiveLimit = fmt.Sprintf("GOMEMLIMIT=%d", 256*mib*9/10)

// TestLiveThroughput: where there is little live data, the throughput mode
// makes the collector cheaper by more than 40 %.
func TestLiveThroughput(t *testing.T) {
	needFullLoad(t)
	work := loadSpec{LiveMiB: 40, For: 8 * time.Second}
	balanced := runLoad(t, 0, work, liveSpec{})
	throughput := runLoad(t, 0, work, liveSpec{Mode: runtimex.Throughput})
	t.Logf("balanced: %v", balanced)
	t.Logf("throughput: %v", throughput)
	assert.True(t, !throughput.killed)
	assert.True(t, throughput.GC < .6*balanced.GC, "the collector is not 40 % cheaper")
}

// TestLiveCompact: the compact mode uses less memory, for more CPU.
func TestLiveCompact(t *testing.T) {
	needFullLoad(t)
	needRealSpeed(t)
	work := loadSpec{LiveMiB: 80, For: 8 * time.Second}
	balanced := runLoad(t, 0, work, liveSpec{})
	compact := runLoad(t, 0, work, liveSpec{Mode: runtimex.Compact})
	t.Logf("balanced: %v", balanced)
	t.Logf("compact: %v", compact)
	assert.True(t, compact.peak < balanced.peak*85/100, "not 15 % less memory")
}

// TestLiveMemoryHigh: a limit below memory.high keeps the kernel from
// throttling the process, which one below memory.max alone does not.
func TestLiveMemoryHigh(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	work := loadSpec{LiveMiB: 85, For: 10 * time.Second, Light: true}
	naive := runLoad(t, 150*mib, work, liveSpec{Bare: true}, naiveLimit)
	ours := runLoad(t, 150*mib, work, liveSpec{})
	t.Logf("0.9 of memory.max: %v", naive)
	t.Logf("Apply: %v", ours)
	assert.True(t, !ours.killed)
	assert.True(t, ours.RPS >= 1.5*naive.RPS, "not 1.5 times the requests")
}

// TestLiveGuard: the guard reports that live data leaves the collector too
// little room, soon, and says nothing where there is room.
func TestLiveGuard(t *testing.T) {
	needFullLoad(t)
	needRealSpeed(t)
	needPlainMemory(t)
	t.Run("tight", func(t *testing.T) {
		g := cgrouptest.New(t, "tight")
		g.Prefer()
		g.SetMemory(256 * mib)
		all := liveCPUs(t)
		l := startLive(t, g, cgrouptest.Placement{CPUs: all[:min(2, len(all))]}, liveSpec{})
		start := time.Now()
		_, err := fmt.Fprintf(l.stdin, "load %s\n", loadSpec{LiveMiB: 160, For: 20 * time.Second})
		assert.NoError(t, err)
		e := l.event("pressure", func(e liveEvent) bool { return e.Kind == "pressure" })
		t.Logf("reported after %v: %.0f %%", e.At.Sub(start), 100*e.Event.Fraction)
		assert.True(t, e.At.Sub(start) < 10*time.Second)
		assert.True(t, e.Event.Fraction > .25)
		assert.NoError(t, l.cmd.Process.Kill())
	})
	t.Run("roomy", func(t *testing.T) {
		r := runLoad(t, 0, loadSpec{LiveMiB: 40, For: 10 * time.Second}, liveSpec{Guard: runtimex.GCGuard{For: time.Second}})
		t.Log(r)
		for _, e := range r.events {
			assert.True(t, e.Kind != "pressure", fmt.Sprint(e.Fraction))
		}
	})
}
