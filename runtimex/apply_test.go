package runtimex_test

import (
	"context"
	"errors"
	"expvar"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

func quotaOfParent() (*tree, *runtimex.FakeRuntime, runtimex.FakeHost) {
	tree := newTree("/pod/app")
	tree.cpu("/pod", 3)
	rt := runtimex.NewFakeRuntime(8)
	return tree, rt, runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt}
}

// TestShared: two users in one process share one controller, and the last one
// who leaves puts everything back.
func TestShared(t *testing.T) {
	_, rt, h := quotaOfParent()
	first := apply(t, h, runtimex.WithMinProcs(4))
	var seen events
	second := apply(t, h, runtimex.WithObserver(seen.observe))
	third := apply(t, h, runtimex.WithMinProcs(4))
	assert.Equal(t, procsOf(rt), 4)
	first.Undo()
	first.Undo() // counts once
	third.Undo()
	assert.Equal(t, procsOf(rt), 4)
	_, err := second.Pressure()
	assert.True(t, !errors.Is(err, errors.ErrUnsupported), "stopped too early")
	second.Undo()
	assert.Equal(t, procsOf(rt), 8)
	_, err = second.Pressure()
	assert.ErrorIs(t, err, errors.ErrUnsupported)

	// And again, from the start.
	apply(t, h).Undo()
	assert.Equal(t, rt.Calls, []string{"GOMAXPROCS", "SetDefaultGOMAXPROCS", "GOMAXPROCS", "SetDefaultGOMAXPROCS"})
}

func TestSharedWithOtherOptions(t *testing.T) {
	_, rt, h := quotaOfParent()
	c := apply(t, h, runtimex.WithMinProcs(4))
	_, err := h.Apply(runtimex.WithMaxProcs(2))
	assert.ErrorIs(t, err, runtimex.ErrApplied)
	assert.Contains(t, err.Error(), "WithMinProcs(4)", "WithMaxProcs(2)", "call Apply once")
	assert.Equal(t, procsOf(rt), 4)
	c.Undo()
	assert.Equal(t, procsOf(rt), 8)
	apply(t, h)
	_, err = h.Apply(runtimex.WithMaxProcs(2))
	assert.ErrorIs(t, err, runtimex.ErrApplied)
	assert.Contains(t, err.Error(), "no options")
}

func TestConcurrentApplyAndUndo(t *testing.T) {
	_, rt, h := quotaOfParent()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 20 {
				c, err := h.Apply(runtimex.WithLogger(discard), runtimex.WithPollInterval(10*time.Millisecond))
				if err != nil {
					t.Error(err)
					return
				}
				c.Limits()
				c.Report()
				c.GCFraction()
				if _, err := c.Pressure(); err != nil {
					t.Error(err)
				}
				var undo sync.WaitGroup
				for range 2 {
					undo.Go(c.Undo)
				}
				undo.Wait()
			}
		})
	}
	wg.Wait()
	assert.Equal(t, rt.Procs, 8)
	assert.Equal(t, rt.Custom, false)
}

// TestWrongOptions: every problem at once, with the remedy, and nothing done.
func TestWrongOptions(t *testing.T) {
	_, rt, h := quotaOfParent()
	tests := []struct {
		opt  runtimex.Option
		text []string
	}{
		{runtimex.WithPolicy(runtimex.Policy{}), []string{"WithPolicy()", "use Native()"}},
		{runtimex.WithPolicy(runtimex.Rounding("mine", nil)), []string{"WithPolicy(mine)", "no rounding"}},
		{runtimex.WithMinProcs(0), []string{"WithMinProcs(0)", "positive"}},
		{runtimex.WithMaxProcs(-1), []string{"WithMaxProcs(-1)", "positive"}},
		{runtimex.WithCPURequest(0), []string{"WithCPURequest(0)", "0.5"}},
		{runtimex.WithMemoryRatio(1.2), []string{"WithMemoryRatio(1.2)", "at most 1"}},
		{runtimex.WithReserve(-1), []string{"WithReserve(-1)", "not negative"}},
		{runtimex.WithMode("turbo"), []string{"WithMode(turbo)", "Throughput"}},
		{runtimex.WithProvider("p", nil), []string{"WithProvider(p)", "nil"}},
		{runtimex.Without("GOFLAGS"), []string{`"GOFLAGS"`, "GOMEMLIMIT"}},
		{runtimex.WithPollInterval(time.Millisecond), []string{"WithPollInterval(1ms)", "10ms"}},
		{runtimex.WithGCGuard(runtimex.GCGuard{Threshold: 25}), []string{"WithGCGuard(25"}},
	}
	var opts []runtimex.Option
	for _, tt := range tests {
		_, err := h.Apply(tt.opt)
		var optErr *runtimex.OptionError
		assert.True(t, errors.As(err, &optErr), tt.opt.String())
		if err != nil {
			assert.Contains(t, err.Error(), tt.text...)
		}
		opts = append(opts, tt.opt)
	}
	_, err := h.Apply(opts...)
	for _, tt := range tests {
		assert.Contains(t, err.Error(), tt.text...)
	}
	_, err = h.Apply(runtimex.WithMinProcs(4), runtimex.WithMaxProcs(2))
	assert.ErrorContains(t, err, "WithMinProcs(4)", "WithMaxProcs(2)")
	_, err = h.Apply(runtimex.WithMode(runtimex.Compact), runtimex.Without(runtimex.GOGC))
	assert.ErrorContains(t, err, "WithMode(compact)", "Without(GOGC)")
	assert.Equal(t, rt.Calls, nil)
}

// TestProviderFails: it stops nothing, and is said.
func TestProviderFails(t *testing.T) {
	_, rt, h := quotaOfParent()
	down := errors.New("down")
	var seen events
	apply(t, h, runtimex.WithObserver(seen.observe), runtimex.WithPollInterval(-1), runtimex.WithoutEvents(),
		runtimex.WithGCGuard(runtimex.GCGuard{Threshold: -1}),
		runtimex.WithProvider("task", func(ctx context.Context) (runtimex.Limits, error) {
			_, bounded := ctx.Deadline()
			assert.True(t, bounded, "no deadline")
			return runtimex.Limits{}, down
		}))
	assert.Equal(t, procsOf(rt), 3)
	got := seen.take()
	assert.Equal(t, len(got), 2)
	degraded, ok := got[1].(runtimex.Degraded)
	assert.True(t, ok, "no Degraded")
	assert.ErrorIs(t, degraded.Err, down)
	assert.Contains(t, degraded.Err.Error(), "WithProvider(task)")
	runtimex.Tick()
	assert.Equal(t, len(seen.take()), 0) // it was not read again, so nothing is better
}

// TestOneLinePerChange, and a panicking observer harms nobody.
func TestOneLinePerChange(t *testing.T) {
	tree, _, h := quotaOfParent()
	tree.memory("/pod", 256, 0)
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	var seen events
	c, err := h.Apply(runtimex.WithLogger(logger), runtimex.WithPollInterval(-1), runtimex.WithoutEvents(),
		runtimex.WithObserver(func(runtimex.Event) { panic("boom") }), runtimex.WithObserver(seen.observe), runtimex.WithObserver(nil))
	assert.NoError(t, err)
	c.Undo()
	assert.Equal(t, len(seen.take()), 2)
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	assert.Equal(t, len(lines), 4)
	assert.Contains(t, lines[0], `level=INFO msg="runtimex: GOMAXPROCS is now 3"`, "was=8", "source=cgroup", "CPU quota 3 of /pod")
	assert.Contains(t, lines[1], "an observer panicked", "boom")
	assert.Contains(t, lines[2], `msg="runtimex: GOMEMLIMIT is now 234881024"`, "was=off", "memory.max of /pod")
}

// TestCurrentShowsDecisions, in Current and through expvar.
func TestCurrentShowsDecisions(t *testing.T) {
	tree, rt, h := quotaOfParent()
	live := runtimex.Current()
	tree.cpu("/pod", 0)
	rt.Native, rt.Procs = int(live.GOMAXPROCS.Value), int(live.GOMAXPROCS.Value)
	h.CPUs = rt.Procs
	c := apply(t, h)
	assert.Contains(t, c.Report().GOMAXPROCS.Reason, "no CPU quota, and")
	assert.Contains(t, expvar.Get("grpcx.runtime").String(), `"gomaxprocs":{"value":`, `"limits":{"cpus":`, `"gc_fraction":`)
	assert.Equal(t, expvar.Get("go_gomaxprocs").String(), live.GOMAXPROCS.String())
	c.Undo()
	assert.Equal(t, runtimex.Current(), live)
	assert.NotContains(t, expvar.Get("grpcx.runtime").String(), `"limits"`)
}

// TestNoControlGroups: elsewhere only the options count.
func TestNoControlGroups(t *testing.T) {
	rt := runtimex.NewFakeRuntime(8)
	h := runtimex.FakeHost{CPUs: 8, Runtime: rt}
	c := apply(t, h, runtimex.WithMode(runtimex.Throughput))
	assert.Equal(t, rt.Calls, nil)
	assert.Equal(t, c.Limits().Memory, runtimex.NoLimit)
	_, err := c.Pressure()
	assert.ErrorIs(t, err, errors.ErrUnsupported)
	c.Undo()
	apply(t, h, runtimex.WithMaxProcs(2))
	assert.Equal(t, procsOf(rt), 2)
}
