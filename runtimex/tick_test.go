package runtimex_test

import (
	"runtime/metrics"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

// applyLive applies to this process, with nothing running beside the caller.
func applyLive(t testing.TB) *runtimex.Controller {
	t.Helper()
	c, err := runtimex.Apply(runtimex.WithPollInterval(-1), runtimex.WithoutEvents(), runtimex.WithLogger(discard))
	assert.NoError(t, err)
	t.Cleanup(c.Undo)
	return c
}

// stops counts the times that all goroutines were stopped for another reason
// than a collection.
func stops() (n uint64) {
	s := []metrics.Sample{{Name: "/sched/pauses/total/other:seconds"}}
	metrics.Read(s)
	for _, count := range s[0].Value.Float64Histogram().Counts {
		n += count
	}
	return n
}

// TestTickStopsNothing: looking at limits that have not changed stops no
// goroutine, and changes nothing.
func TestTickStopsNothing(t *testing.T) {
	c := applyLive(t)
	before, report := stops(), c.Report()
	for range 100 {
		runtimex.Tick()
	}
	assert.Equal(t, stops(), before)
	assert.Equal(t, c.Report(), report)
}

// BenchmarkTick is one look at the limits of this machine: what happens each
// poll interval.
func BenchmarkTick(b *testing.B) {
	applyLive(b)
	b.ReportAllocs()
	for b.Loop() {
		runtimex.Tick()
	}
}
