package runtimex_test

import (
	"log/slog"
	"math"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

var discard = slog.New(slog.DiscardHandler)

// TestProcs is the decision table of GOMAXPROCS: what is wanted and who sets it.
func TestProcs(t *testing.T) {
	const (
		set        = "GOMAXPROCS"
		setDefault = "SetDefaultGOMAXPROCS"
	)
	type opts []runtimex.Option
	tests := []struct {
		name       string
		cpus       int
		leaf       float64 // quota; 0: none
		parent     float64
		native     int // what the runtime chose; 0: by its rules
		now        int // what it is, when the program changed it
		env        string
		godebug    string
		build      string
		opts       opts
		want       int
		source     runtimex.Source
		reason     []string
		calls      []string
		afterCalls []string // with Undo
	}{
		// The runtime is right: nothing is ever called.
		{name: "no limit", cpus: 8, want: 8, source: runtimex.SourceRuntime, reason: []string{"no CPU quota", "8 CPUs"}},
		{name: "0.5", cpus: 8, leaf: .5, native: 2, want: 2, source: runtimex.SourceRuntime, reason: []string{"0.5 of /pod/app", "at least 2"}},
		{name: "1", cpus: 8, leaf: 1, native: 2, want: 2, source: runtimex.SourceRuntime},
		{name: "1.5", cpus: 8, leaf: 1.5, native: 2, want: 2, source: runtimex.SourceRuntime},
		{name: "2", cpus: 8, leaf: 2, native: 2, want: 2, source: runtimex.SourceRuntime},
		{name: "2.5", cpus: 8, leaf: 2.5, native: 3, want: 3, source: runtimex.SourceRuntime},
		{name: "3", cpus: 8, leaf: 3, native: 3, want: 3, source: runtimex.SourceRuntime, reason: []string{"follows it by itself"}},
		{name: "4.001", cpus: 8, leaf: 4.001, native: 5, want: 5, source: runtimex.SourceRuntime},
		{name: "16 of 8", cpus: 8, leaf: 16, native: 8, want: 8, source: runtimex.SourceRuntime, reason: []string{"affinity"}},
		{name: "one CPU and 4", cpus: 1, leaf: 4, native: 1, want: 1, source: runtimex.SourceRuntime},
		{name: "parent looser", cpus: 8, leaf: 3, parent: 6, native: 3, want: 3, source: runtimex.SourceRuntime},

		// The runtime is wrong.
		{
			name: "parent 3", cpus: 8, parent: 3, want: 3, source: runtimex.SourceCgroup,
			reason: []string{"CPU quota 3 of /pod"}, calls: []string{set}, afterCalls: []string{set, setDefault},
		},
		{
			name: "parent tighter", cpus: 8, leaf: 5, parent: 2.5, native: 5, want: 3, source: runtimex.SourceCgroup,
			calls: []string{set}, afterCalls: []string{set, setDefault},
		},
		{
			name: "go 1.24 main module", cpus: 4, leaf: 3, native: 4,
			build: "asynctimerchan=1,containermaxprocs=0,updatemaxprocs=0", want: 3, source: runtimex.SourceCgroup,
			calls: []string{set}, afterCalls: []string{set, setDefault},
		},

		// Somebody else's wish.
		{name: "env", cpus: 8, leaf: 3, native: 7, env: "7", want: 7, source: runtimex.SourceEnv, reason: []string{"GOMAXPROCS=7"}},
		{name: "env empty", cpus: 8, leaf: 3, native: 3, env: "", want: 3, source: runtimex.SourceRuntime},
		{name: "env invalid", cpus: 8, leaf: 3, native: 3, env: "many", want: 3, source: runtimex.SourceRuntime},
		{
			name: "env overridden", cpus: 8, leaf: 3, native: 3, now: 7, env: "7", opts: opts{runtimex.OverrideEnv()},
			want: 3, source: runtimex.SourceRuntime, calls: []string{setDefault}, afterCalls: []string{setDefault, set},
		},
		{
			name: "GODEBUG", cpus: 8, leaf: 3, native: 8, godebug: "gctrace=0,containermaxprocs=0", want: 8,
			source: runtimex.SourceEnv, reason: []string{"GODEBUG=containermaxprocs=0"},
		},
		{
			name: "GODEBUG undoes the build", cpus: 8, leaf: 3, native: 3, build: "containermaxprocs=0,updatemaxprocs=0",
			godebug: "containermaxprocs=1,updatemaxprocs=1", want: 3, source: runtimex.SourceRuntime,
		},
		{
			name: "GODEBUG overridden", cpus: 8, leaf: 3, native: 8, godebug: "containermaxprocs=0", opts: opts{runtimex.OverrideEnv()},
			want: 3, source: runtimex.SourceCgroup, calls: []string{set}, afterCalls: []string{set, setDefault},
		},
		{
			name: "set by the program, lower", cpus: 8, leaf: 5, native: 5, now: 2, want: 2, source: runtimex.SourceCode,
			reason: []string{"no more than the 2 that the program set"},
		},
		{
			name: "set by the program, higher", cpus: 8, leaf: 3, native: 3, now: 6, want: 3, source: runtimex.SourceRuntime,
			calls: []string{setDefault}, afterCalls: []string{setDefault, set},
		},
		{name: "set by the program, no limit", cpus: 8, now: 3, want: 3, source: runtimex.SourceCode, reason: []string{"no CPU quota"}},
		{name: "without", cpus: 8, parent: 3, opts: opts{runtimex.Without(runtimex.GOMAXPROCS)}, want: 8, source: runtimex.SourceOption},

		// Policies.
		{
			name: "ceil 0.5", cpus: 8, leaf: .5, native: 2, opts: opts{runtimex.WithPolicy(runtimex.Ceil())},
			want: 1, source: runtimex.SourceCgroup, calls: []string{set}, afterCalls: []string{set, setDefault},
		},
		{name: "ceil 2.5", cpus: 8, leaf: 2.5, native: 3, opts: opts{runtimex.WithPolicy(runtimex.Ceil())}, want: 3, source: runtimex.SourceRuntime},
		{
			name: "floor 2.5", cpus: 8, leaf: 2.5, native: 3, opts: opts{runtimex.WithPolicy(runtimex.Floor())},
			want: 2, source: runtimex.SourceCgroup, reason: []string{"policy floor"}, calls: []string{set}, afterCalls: []string{set, setDefault},
		},
		{name: "floor 16 of 8", cpus: 8, leaf: 16, native: 8, opts: opts{runtimex.WithPolicy(runtimex.Floor())}, want: 8, source: runtimex.SourceRuntime},
		{
			name: "own rounding", cpus: 8, leaf: 2, native: 2,
			opts: opts{runtimex.WithPolicy(runtimex.Rounding("double", func(q float64) int { return int(2 * q) }))},
			want: 4, source: runtimex.SourceCgroup, reason: []string{"policy double"}, calls: []string{set}, afterCalls: []string{set, setDefault},
		},
		{
			name: "own rounding to nonsense", cpus: 8, leaf: 2, native: 2,
			opts: opts{runtimex.WithPolicy(runtimex.Rounding("min", func(float64) int { return math.MinInt }))},
			want: 1, source: runtimex.SourceCgroup, calls: []string{set}, afterCalls: []string{set, setDefault},
		},
		{
			name: "min", cpus: 8, leaf: 1, native: 2, opts: opts{runtimex.WithMinProcs(4)},
			want: 4, source: runtimex.SourceCgroup, reason: []string{"at least 4"}, calls: []string{set}, afterCalls: []string{set, setDefault},
		},
		{name: "min above the CPUs", cpus: 2, leaf: 1, native: 2, opts: opts{runtimex.WithMinProcs(4)}, want: 2, source: runtimex.SourceRuntime},
		{
			name: "max", cpus: 8, opts: opts{runtimex.WithMaxProcs(4)},
			want: 4, source: runtimex.SourceOption, reason: []string{"WithMaxProcs"}, calls: []string{set}, afterCalls: []string{set, setDefault},
		},
		{
			name: "request", cpus: 8, opts: opts{runtimex.WithCPURequest(2.2)},
			want: 3, source: runtimex.SourceOption, reason: []string{"request of 2.2"}, calls: []string{set}, afterCalls: []string{set, setDefault},
		},
		{name: "request and quota", cpus: 8, leaf: 6, native: 6, opts: opts{runtimex.WithCPURequest(2)}, want: 6, source: runtimex.SourceRuntime},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := newTree("/pod/app")
			tree.cpu("/pod/app", tt.leaf)
			tree.cpu("/pod", tt.parent)
			rt := runtimex.NewFakeRuntime(tt.cpus)
			if tt.native > 0 {
				rt.Native, rt.Procs = tt.native, tt.native
			}
			if tt.now > 0 {
				rt.Procs, rt.Custom = tt.now, true
			}
			custom, procs := rt.Custom, rt.Procs
			h := runtimex.FakeHost{FS: tree, CPUs: tt.cpus, Runtime: rt, GOMAXPROCS: tt.env, GODEBUG: tt.godebug, BuildGODEBUG: tt.build}
			c := apply(t, h, append(tt.opts, runtimex.WithPollInterval(-1))...)

			got, _, _ := runtimex.Decided()
			assert.Equal(t, rt.Procs, tt.want, got.Reason)
			assert.Equal(t, got.Value, int64(tt.want))
			assert.Equal(t, got.Source, tt.source, got.Reason)
			assert.Contains(t, got.Reason, tt.reason...)
			assert.Equal(t, rt.Calls, tt.calls)

			c.Undo()
			want := tt.afterCalls
			if want == nil {
				want = tt.calls
			}
			assert.Equal(t, rt.Calls, want)
			assert.Equal(t, rt.Procs, procs, "after Undo")
			if tt.env == "" {
				assert.Equal(t, rt.Custom, custom, "after Undo")
			}
		})
	}
}

// TestProcsProvider: the limits of a task that no control group shows.
func TestProcsProvider(t *testing.T) {
	tree := newTree("/pod/app")
	tree.cpu("/pod/app", 6)
	tree.memory("/pod/app", 1024, 0)
	rt := runtimex.NewFakeRuntime(8)
	rt.Native, rt.Procs = 6, 6
	c := apply(t, runtimex.FakeHost{FS: tree, CPUs: 8, Runtime: rt},
		runtimex.WithPollInterval(-1),
		runtimex.WithProvider("task", provide(runtimex.Limits{CPUQuota: 2.5, Memory: 512 << 20})),
		runtimex.WithProvider("none", provide(runtimex.Limits{})))
	procs, memory, _ := runtimex.Decided()
	assert.Equal(t, procs.Value, 3)
	assert.Equal(t, procs.Source, runtimex.SourceProvider)
	assert.Equal(t, memory.Source, runtimex.SourceProvider)
	assert.Equal(t, memory.Value, int64(512<<20)-(512<<20)/10)
	c.Undo()
	assert.Equal(t, rt.Procs, 6)
	assert.Equal(t, rt.MemLimit, runtimex.NoLimit)
}
