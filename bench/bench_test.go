package bench_test

import (
	"context"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/bench"
	"github.com/grpcx-go/sdk/internal/assert"
)

// callsPerChunk is small, so that the servers alternate quickly.
const callsPerChunk = 1000

// BenchmarkOverhead measures all stacks in one loop. Each metric begins with
// its stack: heap objects, bytes and CPU nanoseconds of the server per call,
// and x-bare, its CPU time divided by that of the bare server; bare-again shows
// how much of that is noise. The plain B/op and allocs/op of -benchmem are
// those of the client and of a whole chunk.
func BenchmarkOverhead(b *testing.B) {
	for _, w := range bench.Workloads() {
		b.Run(strings.ReplaceAll(w.Name, " ", "_"), func(b *testing.B) {
			fleet := start(b)
			if _, err := fleet.Measure(b.Context(), w, callsPerChunk); err != nil { // warms up
				b.Fatal(err)
			}
			total := map[string]bench.Sample{}
			for b.Loop() {
				samples, err := fleet.Measure(b.Context(), w, callsPerChunk)
				if err != nil {
					b.Fatal(err)
				}
				bench.AddTo(total, samples)
			}
			report(b, total)
		})
	}
}

func start(b *testing.B) *bench.Fleet {
	b.Helper()
	// The benchmark's own context ends before its cleanup.
	fleet, err := bench.StartFleet(context.WithoutCancel(b.Context()))
	assert.NoError(b, err)
	b.Cleanup(func() { assert.NoError(b, fleet.Close()) })
	return fleet
}

func report(b *testing.B, total map[string]bench.Sample) {
	b.Helper()
	bare := total[bench.Bare].CPUPerCall()
	for stack, s := range total {
		name := strings.ReplaceAll(stack, " ", "-")
		b.ReportMetric(s.AllocsPerCall(), name+"-allocs/op")
		b.ReportMetric(s.BytesPerCall(), name+"-B/op")
		b.ReportMetric(s.CPUPerCall(), name+"-cpu-ns/op")
		b.ReportMetric(s.CPUPerCall()/bare, name+"-x-bare")
	}
	b.ReportMetric(0, "ns/op") // of the loop, which says nothing
}
