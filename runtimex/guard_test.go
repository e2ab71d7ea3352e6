package runtimex_test

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

// guardPhase is a time in which the collector uses share of two CPUs. A
// collection ends every cycle, or never when it is zero.
type guardPhase struct {
	lasts time.Duration
	share float64
	cycle time.Duration
}

const guardCPUs = 2

// guardRun shows the guard the phases in samples and returns what it said: each
// event with its time after the start.
func guardRun(g runtimex.Guard, every time.Duration, phases []guardPhase) (said []string) {
	epoch := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var (
		used    float64            // by the collector, at the start of the phase
		seen    runtimex.GCSample  // what the runtime tells of it
		elapsed = time.Duration(0) // at the start of the phase
		sample  = -time.Nanosecond // when the next one is due; the first at 0
	)
	for _, p := range phases {
		cycle := elapsed
		for {
			if sample < 0 {
				sample = 0
			}
			if p.cycle > 0 && cycle+p.cycle <= min(sample, elapsed+p.lasts) {
				cycle += p.cycle
				seen = runtimex.GCSample{
					GC:    used + (cycle-elapsed).Seconds()*p.share*guardCPUs,
					Total: cycle.Seconds() * guardCPUs,
				}
				continue
			}
			if sample > elapsed+p.lasts {
				break
			}
			now := epoch.Add(sample)
			switch e := g.Observe(now, seen).(type) {
			case runtimex.GCPressure:
				said = append(said, fmt.Sprintf("%v pressure %.2f", e.Time.Sub(epoch), e.Fraction))
			case runtimex.GCRelieved:
				said = append(said, fmt.Sprintf("%v relieved %.2f since %v", e.Time.Sub(epoch), e.Fraction, e.Since.Sub(epoch)))
			}
			sample += every
		}
		used += p.lasts.Seconds() * p.share * guardCPUs
		elapsed += p.lasts
	}
	return said
}

func TestGuard(t *testing.T) {
	t.Parallel()
	const often = 50 * time.Millisecond
	tests := []struct {
		name   string
		guard  runtimex.GCGuard
		every  time.Duration // default 1 s
		phases []guardPhase
		want   []string
	}{
		{name: "death spiral", phases: []guardPhase{{20 * time.Second, 0.43, often}}, want: []string{"3s pressure 0.43"}},
		{name: "busy", phases: []guardPhase{{time.Minute, 0.13, often}}},
		{name: "just below", phases: []guardPhase{{time.Minute, 0.24, often}}},
		{
			// The poll just before saw too little of it: the latest of all.
			name:   "starts between polls",
			phases: []guardPhase{{10*time.Second + often, 0.05, often}, {20 * time.Second, 0.26, often}},
			want:   []string{"14s pressure 0.26"},
		},
		{name: "spike", phases: []guardPhase{{10 * time.Second, 0.05, often}, {2 * time.Second, 0.9, often}, {time.Minute, 0.05, often}}},
		{
			name: "spikes that do not add up",
			phases: []guardPhase{
				{2 * time.Second, 0.9, often}, {time.Second, 0.05, often}, {2 * time.Second, 0.9, often}, {10 * time.Second, 0.05, often},
			},
		},
		{
			name: "once for each episode",
			phases: []guardPhase{
				{30 * time.Second, 0.43, often}, {30 * time.Second, 0.05, often}, {30 * time.Second, 0.6, often},
			},
			want: []string{"3s pressure 0.43", "33s relieved 0.05 since 3s", "1m3s pressure 0.60"},
		},
		{
			name: "between the thresholds nothing changes",
			phases: []guardPhase{
				{30 * time.Second, 0.22, often}, {10 * time.Second, 0.43, often},
				{30 * time.Second, 0.22, often}, {30 * time.Second, 0.19, often},
			},
			want: []string{"33s pressure 0.43", "1m13s relieved 0.19 since 33s"},
		},
		{
			name:   "a pause is no relief",
			phases: []guardPhase{{10 * time.Second, 0.43, often}, {2 * time.Second, 0.05, often}, {10 * time.Second, 0.43, often}},
			want:   []string{"3s pressure 0.43"},
		},
		{
			name:   "no collection ends any longer",
			phases: []guardPhase{{10 * time.Second, 0.43, often}, {time.Minute, 0, 0}},
			want:   []string{"3s pressure 0.43", "20s relieved 0.00 since 3s"},
		},
		{
			name:   "each collection takes longer than the guard waits",
			phases: []guardPhase{{time.Minute, 0.43, 4 * time.Second}},
			want:   []string{"4s pressure 0.43"},
		},
		{
			name:   "collections longer than a window",
			phases: []guardPhase{{time.Minute, 0.43, 1300 * time.Millisecond}},
			want:   []string{"3s pressure 0.43"},
		},
		{name: "samples at every event", every: 10 * time.Millisecond, phases: []guardPhase{{20 * time.Second, 0.43, often}}, want: []string{"3s pressure 0.43"}},
		{
			name: "collections that differ", every: 10 * time.Millisecond,
			phases: slices.Repeat([]guardPhase{{often, 0.8, often}, {often, 0.1, often}}, 100),
			want:   []string{"3s pressure 0.43"},
		},
		{name: "polls a little early", every: 999 * time.Millisecond, phases: []guardPhase{{20 * time.Second, 0.43, often}}, want: []string{"2.997s pressure 0.43"}},
		{name: "rare polls", every: 30 * time.Second, phases: []guardPhase{{2 * time.Minute, 0.43, often}}, want: []string{"30s pressure 0.43"}},
		{
			name:  "other settings",
			guard: runtimex.GCGuard{Threshold: 0.1, For: 10 * time.Second},
			phases: []guardPhase{
				{20 * time.Second, 0.13, often}, {20 * time.Second, 0.09, often}, {20 * time.Second, 0.07, often},
			},
			want: []string{"10s pressure 0.13", "50s relieved 0.07 since 10s"},
		},
		{name: "all of it", guard: runtimex.GCGuard{Threshold: 1}, phases: []guardPhase{{20 * time.Second, 1, often}}, want: []string{"3s pressure 1.00"}},
		{name: "off", guard: runtimex.GCGuard{Threshold: -1}, phases: []guardPhase{{time.Minute, 0.9, often}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.every == 0 {
				tt.every = time.Second
			}
			assert.Equal(t, guardRun(runtimex.NewGuard(tt.guard), tt.every, tt.phases), tt.want)
		})
	}
}

func TestGuardFraction(t *testing.T) {
	t.Parallel()
	g := runtimex.NewGuard(runtimex.GCGuard{Threshold: -1})
	assert.Equal(t, g.Fraction(), 0)
	at := time.Now()
	g.Observe(at, runtimex.GCSample{GC: 5, Total: 100})
	assert.Equal(t, g.Fraction(), 0)
	g.Observe(at.Add(time.Second), runtimex.GCSample{GC: 5.5, Total: 102})
	assert.Equal(t, g.Fraction(), 0.25)

	// No collection ended: what was known holds, for a while.
	g.Observe(at.Add(2*time.Second), runtimex.GCSample{GC: 5.5, Total: 102})
	assert.Equal(t, g.Fraction(), 0.25)
	g.Observe(at.Add(11*time.Second), runtimex.GCSample{GC: 5.5, Total: 102})
	assert.Equal(t, g.Fraction(), 0)

	// The clock does not go back, and if it did, nothing would follow.
	g.Observe(at, runtimex.GCSample{GC: 50, Total: 103})
	assert.Equal(t, g.Fraction(), 0)
	g.Observe(at.Add(12*time.Second), runtimex.GCSample{GC: 50, Total: 104})
	assert.Equal(t, g.Fraction(), 1)
}

func TestGuardPressureIsComplete(t *testing.T) {
	t.Parallel()
	g := runtimex.NewGuard(runtimex.GCGuard{For: time.Second})
	at := time.Now()
	assert.True(t, g.Observe(at, runtimex.GCSample{}) == nil)
	assert.Equal(t, g.Observe(at.Add(time.Second), runtimex.GCSample{GC: 1, Total: 2}),
		runtimex.Event(runtimex.GCPressure{Time: at.Add(time.Second), Fraction: 0.5, HeapLive: 1 << 20, MemoryLimit: 2 << 20}))
}

func TestGuardOptions(t *testing.T) {
	t.Parallel()
	for _, g := range []runtimex.GCGuard{
		{}, {Threshold: 1}, {Threshold: -1}, {Threshold: 0.4, For: time.Hour}, {Threshold: math.Inf(-1)}, {For: 1},
	} {
		assert.NoError(t, g.Check(), fmt.Sprint(g))
	}
	assert.ErrorContains(t, runtimex.GCGuard{Threshold: 25}.Check(), "threshold 25", "such as 0.25")
	assert.ErrorContains(t, runtimex.GCGuard{Threshold: math.NaN()}.Check(), "NaN")
	assert.ErrorContains(t, runtimex.GCGuard{For: -time.Second}.Check(), "-1s", "0 for 3s")
	assert.ErrorContains(t, runtimex.GCGuard{Threshold: 2, For: -1}.Check(), "threshold 2", "-1ns")

	_, err := runtimex.Apply(runtimex.WithGCGuard(runtimex.GCGuard{Threshold: 2}))
	bad, ok := errors.AsType[*runtimex.OptionError](err)
	assert.True(t, ok, fmt.Sprint(err))
	assert.ErrorContains(t, bad, "WithGCGuard", "no share of the CPU")
}

func TestReadGCSample(t *testing.T) {
	runtime.GC()
	before, live, limit := runtimex.ReadGCSample()
	assert.True(t, before.GC > 0 && before.Total > before.GC, fmt.Sprint(before))
	assert.True(t, live > 0 && limit > 0, fmt.Sprint(live, limit))
	runtime.GC()
	after, _, _ := runtimex.ReadGCSample()
	assert.True(t, after.GC > before.GC && after.Total > before.Total, fmt.Sprint(before, after))
	assert.Equal(t, testing.AllocsPerRun(100, func() { runtimex.ReadGCSample() }), 0)
}

func BenchmarkGuard(b *testing.B) {
	b.ReportAllocs()
	g := runtimex.NewGuard(runtimex.GCGuard{})
	for b.Loop() {
		s, _, _ := runtimex.ReadGCSample()
		g.Observe(time.Now(), s)
	}
}
