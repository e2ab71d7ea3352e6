package runtimex_test

import (
	"context"
	"errors"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

func provide(l runtimex.Limits) func(context.Context) (runtimex.Limits, error) {
	return func(context.Context) (runtimex.Limits, error) { return l, nil }
}

// TestMemory is the decision table of GOMEMLIMIT, in MiB.
func TestMemory(t *testing.T) {
	const mib = 1 << 20
	type opts []runtimex.Option
	tests := []struct {
		name      string
		max, high int
		parent    int
		before    int64 // set by the program or the environment
		env       string
		opts      opts
		want      int64 // bytes
		source    runtimex.Source
		reason    []string
	}{
		{name: "no limit", want: runtimex.NoLimit, source: runtimex.SourceRuntime},
		{name: "256", max: 256, want: 224 * mib, source: runtimex.SourceCgroup, reason: []string{"memory.max of /pod/app", "256 MiB", "32 MiB headroom"}},
		{name: "64", max: 64, want: 64*mib - 64*mib/5, source: runtimex.SourceCgroup},
		{name: "1024", max: 1024, want: 1024*mib - 1024*mib/10, source: runtimex.SourceCgroup},
		{name: "high", max: 256, high: 150, want: 120 * mib, source: runtimex.SourceCgroup, reason: []string{"memory.high of /pod/app"}},
		{name: "parent", parent: 512, max: 1024, want: 512*mib - 512*mib/10, source: runtimex.SourceCgroup, reason: []string{"memory.max of /pod of"}},
		{name: "more than the machine has", max: 1 << 20, want: 16384*mib - 16384*mib/10, source: runtimex.SourceCgroup, reason: []string{"machine's memory"}},
		{name: "ratio", max: 1000, opts: opts{runtimex.WithMemoryRatio(.8)}, want: 800 * mib, source: runtimex.SourceCgroup},
		{name: "reserve", max: 1000, opts: opts{runtimex.WithReserve(300 * mib)}, want: 600 * mib, source: runtimex.SourceCgroup, reason: []string{"reserve of 300 MiB"}},
		{name: "env", max: 256, env: "100MiB", before: 100 * mib, want: 100 * mib, source: runtimex.SourceEnv, reason: []string{"GOMEMLIMIT=100MiB"}},
		{name: "env off", max: 256, env: "off", want: runtimex.NoLimit, source: runtimex.SourceEnv},
		{name: "env overridden", max: 256, env: "off", opts: opts{runtimex.OverrideEnv()}, want: 224 * mib, source: runtimex.SourceCgroup},
		{name: "program lower", max: 256, before: 100 * mib, want: 100 * mib, source: runtimex.SourceCode, reason: []string{"lower"}},
		{name: "program higher", max: 256, before: 300 * mib, want: 224 * mib, source: runtimex.SourceCgroup},
		{name: "program and no limit", before: 100 * mib, want: 100 * mib, source: runtimex.SourceCode},
		{name: "without", max: 256, opts: opts{runtimex.Without(runtimex.GOMEMLIMIT)}, want: runtimex.NoLimit, source: runtimex.SourceOption},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := newTree("/pod/app")
			tree.memory("/pod/app", tt.max, tt.high)
			tree.memory("/pod", tt.parent, 0)
			rt := runtimex.NewFakeRuntime(8)
			if tt.before > 0 {
				rt.MemLimit = tt.before
			}
			before := rt.MemLimit
			c := apply(t, runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt, GOMEMLIMIT: tt.env},
				append(tt.opts, runtimex.WithPollInterval(-1))...)
			_, got, _ := runtimex.Decided()
			assert.Equal(t, rt.MemLimit, tt.want, got.Reason)
			assert.Equal(t, got.Value, tt.want)
			assert.Equal(t, got.Source, tt.source, got.Reason)
			assert.Contains(t, got.Reason, tt.reason...)
			c.Undo()
			assert.Equal(t, rt.MemLimit, before, "after Undo")
			if tt.want == before {
				assert.Equal(t, rt.Calls, nil)
			}
		})
	}
}

// TestReserveTooLarge: a reserve that leaves nothing is an error of Apply, which
// then has changed nothing.
func TestReserveTooLarge(t *testing.T) {
	tree := newTree("/pod/app")
	tree.cpu("/pod", 2)
	tree.memory("/pod/app", 256, 0)
	rt := runtimex.NewFakeRuntime(8)
	_, err := runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt}.Apply(runtimex.WithReserve(250 << 20))
	var optErr *runtimex.OptionError
	assert.True(t, errors.As(err, &optErr), "no OptionError")
	assert.Contains(t, err.Error(), "WithReserve(262144000)", "256 MiB", "lower the reserve")
	assert.Equal(t, rt.Calls, nil)
	assert.Equal(t, rt.Procs, 8)
}

// TestMode is the decision table of GOGC.
func TestMode(t *testing.T) {
	const mib = 1 << 20
	tests := []struct {
		name   string
		max    int
		limit  int64 // GOMEMLIMIT set before
		gogc   int64
		env    string
		mode   runtimex.Mode
		opts   []runtimex.Option
		want   int64
		source runtimex.Source
		reason string
	}{
		{name: "balanced", max: 256, gogc: 100, mode: runtimex.Balanced, want: 100, source: runtimex.SourceRuntime},
		{name: "throughput", max: 256, gogc: 100, mode: runtimex.Throughput, want: 400, source: runtimex.SourceOption, reason: "224 MiB"},
		{name: "throughput, small", max: 128, gogc: 100, mode: runtimex.Throughput, want: 200, source: runtimex.SourceOption, reason: "small"},
		{name: "throughput, no limit", gogc: 100, mode: runtimex.Throughput, want: 100, source: runtimex.SourceRuntime, reason: "needs a memory limit"},
		{name: "throughput, limit of the program", limit: 512 * mib, gogc: 100, mode: runtimex.Throughput, want: 400, source: runtimex.SourceOption},
		{name: "throughput, env", max: 256, gogc: 150, env: "150", mode: runtimex.Throughput, want: 150, source: runtimex.SourceEnv},
		{name: "throughput, off in the environment", max: 256, gogc: -1, env: "off", mode: runtimex.Throughput, want: -1, source: runtimex.SourceEnv},
		{name: "throughput, program", max: 256, gogc: 70, mode: runtimex.Throughput, want: 70, source: runtimex.SourceCode},
		{name: "throughput, overridden", max: 256, gogc: 150, env: "150", mode: runtimex.Throughput, opts: []runtimex.Option{runtimex.OverrideEnv()}, want: 400, source: runtimex.SourceOption},
		{name: "compact", gogc: 100, mode: runtimex.Compact, want: 50, source: runtimex.SourceOption},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := newTree("/pod/app")
			tree.memory("/pod/app", tt.max, 0)
			rt := runtimex.NewFakeRuntime(8)
			rt.GCPercent = tt.gogc
			if tt.limit > 0 {
				rt.MemLimit = tt.limit
			}
			c := apply(t, runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt, GOGC: tt.env},
				append(tt.opts, runtimex.WithMode(tt.mode), runtimex.WithPollInterval(-1))...)
			_, _, got := runtimex.Decided()
			assert.Equal(t, rt.GCPercent, tt.want)
			assert.Equal(t, got.Value, tt.want)
			assert.Equal(t, got.Source, tt.source, got.Reason)
			assert.Contains(t, got.Reason, tt.reason)
			c.Undo()
			assert.Equal(t, rt.GCPercent, tt.gogc, "after Undo")
		})
	}
}
