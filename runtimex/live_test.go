package runtimex_test

import (
	"errors"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

// events collects what an observer is told.
type events struct {
	mu  sync.Mutex
	all []runtimex.Event
}

func (e *events) observe(event runtimex.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

// take returns what came since the last time.
func (e *events) take() []runtimex.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.all
	e.all = nil
	return all
}

// poll lets one poll interval pass.
func poll() {
	time.Sleep(time.Second)
	synctest.Wait()
}

func TestQuotaOfParentIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := newTree("/pod/app")
		tree.cpu("/pod/app", 0)
		tree.cpu("/pod", 3)
		rt := runtimex.NewFakeRuntime(8)
		var seen events
		c := apply(t, runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt}, runtimex.WithObserver(seen.observe))
		assert.Equal(t, rt.Procs, 3)
		assert.Equal(t, len(seen.take()), 1)

		tree.cpu("/pod", 5)
		time.Sleep(time.Second - time.Nanosecond)
		synctest.Wait()
		assert.Equal(t, procsOf(rt), 3)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		assert.Equal(t, procsOf(rt), 5)
		got := seen.take()
		assert.Equal(t, len(got), 1)
		tuned := got[0].(runtimex.Tuned)
		assert.Equal(t, tuned.Knob, runtimex.GOMAXPROCS)
		assert.Equal(t, tuned.Was, 3)
		assert.Equal(t, tuned.Now.Value, 5)
		assert.Equal(t, len(tuned.Now.Levels), 3)

		// The runtime and we agree: it gets its task back, and keeps it.
		tree.cpu("/pod", 0)
		poll()
		rt.Do(func(rt *runtimex.FakeRuntime) {
			assert.Equal(t, rt.Procs, 8)
			assert.Equal(t, rt.Custom, false)
			assert.Equal(t, rt.Calls, []string{"GOMAXPROCS", "GOMAXPROCS", "SetDefaultGOMAXPROCS"})
		})
		poll()
		c.Undo()
		assert.Equal(t, len(rt.Calls), 3)
	})
}

func procsOf(rt *runtimex.FakeRuntime) (n int) {
	rt.Do(func(rt *runtimex.FakeRuntime) { n = rt.Procs })
	return n
}

// TestRuntimeLags: where the runtime is right but late, it is asked to look, and
// goes on by itself.
func TestRuntimeLags(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := newTree("/pod/app")
		tree.cpu("/pod/app", 3)
		rt := runtimex.NewFakeRuntime(8)
		rt.Native, rt.Procs = 3, 3
		apply(t, runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt})
		tree.cpu("/pod/app", 5)
		rt.Do(func(rt *runtimex.FakeRuntime) { rt.Native = 5 })
		poll()
		rt.Do(func(rt *runtimex.FakeRuntime) {
			assert.Equal(t, rt.Procs, 5)
			assert.Equal(t, rt.Custom, false)
			assert.Equal(t, rt.Calls, []string{"SetDefaultGOMAXPROCS"})
			// And a change that it has seen first.
			rt.Native, rt.Procs = 2, 2
		})
		tree.cpu("/pod/app", 2)
		poll()
		rt.Do(func(rt *runtimex.FakeRuntime) { assert.Equal(t, rt.Calls, []string{"SetDefaultGOMAXPROCS"}) })
	})
}

// TestRuntimeLagsAtApply: what the runtime chose at the start is not taken for
// the program's wish because it chooses otherwise by now.
func TestRuntimeLagsAtApply(t *testing.T) {
	tree := newTree("/pod/app")
	tree.cpu("/pod/app", 5)
	rt := runtimex.NewFakeRuntime(8)
	rt.Native, rt.Procs = 5, 3
	c := apply(t, runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt, ProcsAtStart: 3})
	assert.Equal(t, procsOf(rt), 5)
	c.Undo()
	assert.Equal(t, rt.Procs, 5)
	assert.Equal(t, rt.Custom, false)
	assert.Equal(t, rt.Calls, []string{"SetDefaultGOMAXPROCS"})
}

// TestUndoOfOverriddenEnv: the runtime may have followed a change by itself since
// the last look, and the variable has its way again all the same.
func TestUndoOfOverriddenEnv(t *testing.T) {
	tree := newTree("/pod/app")
	tree.cpu("/pod/app", 3)
	rt := runtimex.NewFakeRuntime(8)
	rt.Native, rt.Procs, rt.Custom = 3, 7, true
	c := apply(t, runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt, GOMAXPROCS: "7"}, runtimex.OverrideEnv(), runtimex.WithPollInterval(-1))
	assert.Equal(t, rt.Procs, 3)
	tree.cpu("/pod/app", 5)
	rt.Native, rt.Procs = 5, 5
	c.Undo()
	assert.Equal(t, rt.Procs, 7)
	assert.Equal(t, rt.Custom, true)
}

// TestRuntimeIsWrong: the runtime should arrive at the same number and does not.
// It is asked once, and not again while nothing changes.
func TestRuntimeIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := newTree("/pod/app")
		tree.cpu("/pod/app", 3)
		rt := runtimex.NewFakeRuntime(8)
		rt.Native, rt.Procs = 3, 3
		c := apply(t, runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt})
		tree.cpu("/pod/app", 5)
		for range 3 {
			poll()
		}
		rt.Do(func(rt *runtimex.FakeRuntime) {
			assert.Equal(t, rt.Procs, 5)
			assert.Equal(t, rt.Calls, []string{"SetDefaultGOMAXPROCS", "GOMAXPROCS"})
		})
		c.Undo()
		assert.Equal(t, rt.Custom, false)
	})
}

func TestMigration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := newTree("/p")
		tree.cpu("/p", 3)
		tree.memory("/p", 256, 0)
		tree.cpu("/q", 5)
		tree.memory("/q", 512, 0)
		rt := runtimex.NewFakeRuntime(8)
		rt.Native, rt.Procs = 3, 3
		apply(t, runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt})
		tree.move("/q")
		poll()
		rt.Do(func(rt *runtimex.FakeRuntime) {
			assert.Equal(t, rt.Procs, 5)
			assert.Equal(t, rt.MemLimit, int64(512<<20-512<<20/10))
			assert.Equal(t, rt.Custom, true) // since it would keep looking at /p
		})
	})
}

// TestControllerEnabledLater: the runtime looked for a quota file when the
// process started, and never again.
func TestControllerEnabledLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := newTree("/app")
		rt := runtimex.NewFakeRuntime(8)
		apply(t, runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt})
		poll()
		assert.Equal(t, procsOf(rt), 8)
		tree.cpu("/app", 2)
		tree.memory("/app", 256, 0)
		poll()
		rt.Do(func(rt *runtimex.FakeRuntime) {
			assert.Equal(t, rt.Procs, 2)
			assert.Equal(t, rt.Custom, true)
			assert.Equal(t, rt.MemLimit, 224<<20)
		})
	})
}

// TestEvents: an event is acted on at once, and all limit files are watched.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := newTree("/pod/app")
		for _, path := range []string{"/pod/app", "/pod"} {
			tree.cpu(path, 3)
			tree.memory(path, 256, 0)
		}
		rt := runtimex.NewFakeRuntime(8)
		rt.Native, rt.Procs = 3, 3
		watch := runtimex.NewFakeWatch()
		c := apply(t, runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt, Watch: watch}, runtimex.WithPollInterval(time.Hour))
		files, _ := watch.Files()
		for _, want := range []string{
			"/sys/fs/cgroup/pod/app/cpu.max", "/sys/fs/cgroup/pod/app/memory.max", "/sys/fs/cgroup/pod/app/memory.high",
			"/sys/fs/cgroup/pod/cpu.max", "/sys/fs/cgroup/pod/memory.max", "/sys/fs/cgroup/pod/memory.high",
		} {
			assert.True(t, slices.Contains(files, want), "not watched: "+want)
		}
		tree.cpu("/pod", 2)
		watch.Events <- struct{}{}
		time.Sleep(5 * time.Millisecond)
		synctest.Wait()
		assert.Equal(t, procsOf(rt), 2)

		tree.cpu("/other", 4)
		tree.move("/other")
		watch.Events <- struct{}{}
		time.Sleep(5 * time.Millisecond)
		synctest.Wait()
		files, _ = watch.Files()
		assert.True(t, slices.Contains(files, "/sys/fs/cgroup/other/cpu.max"), "the new group is not watched")
		assert.True(t, !slices.Contains(files, "/sys/fs/cgroup/pod/cpu.max"), "the old group is still watched")

		// An event that is being waited out does not keep Undo waiting.
		watch.Events <- struct{}{}
		c.Undo()
		_, closed := watch.Files()
		assert.True(t, closed, "the watcher is still open")
	})
}

// TestWatcherOff: without polls and events nothing runs and nothing is followed.
func TestWatcherOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := newTree("/pod/app")
		tree.cpu("/pod", 3)
		rt := runtimex.NewFakeRuntime(8)
		c, err := runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt, Watch: runtimex.NewFakeWatch()}.Apply(
			runtimex.WithPollInterval(-1), runtimex.WithoutEvents(), runtimex.WithLogger(discard))
		assert.NoError(t, err)
		tree.cpu("/pod", 5)
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Equal(t, rt.Procs, 3)
		c.Undo()
	})
}

// TestMemoryShrinks: the limit falls at once, and memory above it is given back
// once; removing the limit restores what was there before.
func TestMemoryShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := newTree("/app")
		tree.memory("/app", 512, 0)
		rt := runtimex.NewFakeRuntime(8)
		rt.InUse = 300 << 20
		apply(t, runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt})
		steps := []struct {
			max   int
			limit int64
			calls []string
		}{
			{256, 224 << 20, []string{"SetMemoryLimit", "FreeOSMemory"}},
			{256, 224 << 20, nil},
			{400, 360 << 20, []string{"SetMemoryLimit"}},
			{0, runtimex.NoLimit, []string{"SetMemoryLimit"}},
		}
		rt.Do(func(rt *runtimex.FakeRuntime) { rt.Calls = nil })
		for _, step := range steps {
			tree.memory("/app", step.max, 0)
			poll()
			rt.Do(func(rt *runtimex.FakeRuntime) {
				assert.Equal(t, rt.MemLimit, step.limit)
				assert.Equal(t, rt.Calls, step.calls)
				rt.Calls = nil
			})
		}
	})
}

// TestThroughputFollowsTheLimit: GOGC is raised only while there is a limit.
func TestThroughputFollowsTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := newTree("/app")
		tree.memory("/app", 512, 0)
		rt := runtimex.NewFakeRuntime(8)
		apply(t, runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt}, runtimex.WithMode(runtimex.Throughput))
		for _, step := range []struct {
			max  int
			gogc int64
		}{{512, 400}, {0, 100}, {128, 200}, {512, 400}} {
			tree.memory("/app", step.max, 0)
			poll()
			rt.Do(func(rt *runtimex.FakeRuntime) { assert.Equal(t, rt.GCPercent, step.gogc) })
		}
	})
}

// TestProgramChangesSettings: what the program sets while a controller is active
// stays, and Undo does not touch it.
func TestProgramChangesSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := newTree("/pod/app")
		tree.cpu("/pod", 4)
		tree.memory("/pod", 512, 0)
		rt := runtimex.NewFakeRuntime(8)
		c := apply(t, runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt}, runtimex.WithMode(runtimex.Compact))
		rt.Do(func(rt *runtimex.FakeRuntime) {
			assert.Equal(t, rt.Procs, 4)
			rt.Procs, rt.MemLimit, rt.GCPercent = 1, 99<<20, 70
		})
		poll()
		procs, memory, gc := runtimex.Decided()
		for _, s := range []runtimex.Snapshot{procs, memory, gc} {
			assert.Equal(t, s.Source, runtimex.SourceCode)
			assert.Contains(t, s.Reason, "set by the program after Apply, which would use")
		}
		tree.cpu("/pod", 3)
		poll()
		c.Undo()
		assert.Equal(t, rt.Procs, 1)
		assert.Equal(t, rt.MemLimit, 99<<20)
		assert.Equal(t, rt.GCPercent, 70)
	})
}

// TestProgramChangesAndRestores: a temporary value, as tests and benchmarks set
// it, does not end the tuning.
func TestProgramChangesAndRestores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := newTree("/app")
		tree.cpu("/app", 4)
		rt := runtimex.NewFakeRuntime(8)
		rt.Native, rt.Procs = 4, 4
		apply(t, runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt})
		rt.Do(func(rt *runtimex.FakeRuntime) { rt.Procs, rt.Custom = 1, true })
		poll()
		rt.Do(func(rt *runtimex.FakeRuntime) { rt.Procs = 4 })
		poll()
		tree.cpu("/app", 6)
		rt.Do(func(rt *runtimex.FakeRuntime) { rt.Native = 6 })
		poll()
		rt.Do(func(rt *runtimex.FakeRuntime) {
			assert.Equal(t, rt.Procs, 6)
			assert.Equal(t, rt.Custom, false)
		})
	})
}

// failing refuses to open some files.
type failing struct {
	fs.FS
	mu   sync.Mutex
	deny map[string]error
}

func (f *failing) Open(name string) (fs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.deny[name]; err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return f.FS.Open(name)
}

// TestLastGoodLimitsStay: a limit that can no longer be read still holds, a
// tighter one counts, and the problem is reported once.
func TestLastGoodLimitsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := newTree("/pod/app")
		tree.cpu("/pod/app", 6)
		tree.cpu("/pod", 3)
		rt := runtimex.NewFakeRuntime(8)
		rt.Native, rt.Procs = 6, 6
		var seen events
		apply(t, runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt, Watch: runtimex.NewFakeWatch()}, runtimex.WithObserver(seen.observe))
		assert.Equal(t, procsOf(rt), 3)
		seen.take()

		tree.write("sys/fs/cgroup/pod/cpu.max", "nonsense")
		poll()
		poll()
		assert.Equal(t, procsOf(rt), 3)
		got := seen.take()
		assert.Equal(t, len(got), 1)
		err := got[0].(runtimex.Degraded).Err
		var fileErr *runtimex.FileError
		assert.True(t, errors.As(err, &fileErr), "no FileError")
		assert.Equal(t, fileErr.Path, "/sys/fs/cgroup/pod/cpu.max")

		tree.cpu("/pod/app", 2)
		poll()
		assert.Equal(t, procsOf(rt), 2)
		assert.Equal(t, len(seen.take()), 1)

		tree.cpu("/pod/app", 0)
		tree.cpu("/pod", 7)
		poll()
		assert.Equal(t, procsOf(rt), 7)
		got = seen.take()
		assert.Equal(t, len(got), 2)
		_, recovered := got[1].(runtimex.Recovered)
		assert.True(t, recovered, "no Recovered")
	})
}

// TestUnreadableFromTheStart: what could never be read does not keep the rest
// from being followed.
func TestUnreadableFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tree := newTree("/pod/app")
		tree.cpu("/pod/app", 3)
		tree.cpu("/pod", 2)
		fsys := &failing{FS: tree, deny: map[string]error{"sys/fs/cgroup/pod/cpu.max": fs.ErrPermission}}
		rt := runtimex.NewFakeRuntime(8)
		rt.Native, rt.Procs = 3, 3
		apply(t, runtimex.FakeHost{FS: fsys, CPUs: 8, Runtime: rt})
		assert.Equal(t, procsOf(rt), 3)
		procs, memory, _ := runtimex.Decided()
		assert.Contains(t, procs.Reason, "not everything can be read: runtimex: /sys/fs/cgroup/pod/cpu.max", "permission denied")
		assert.Contains(t, memory.Reason, "not everything can be read")
		tree.cpu("/pod/app", 5)
		rt.Do(func(rt *runtimex.FakeRuntime) { rt.Native = 5 })
		poll()
		assert.Equal(t, procsOf(rt), 5)
	})
}
