package bench_test

import (
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/bench"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/leak"
)

func TestMain(m *testing.M) {
	bench.ServeIfChild()
	leak.Main(m)
}

// A small run measures every stack with every workload and prints it all.
func TestRun(t *testing.T) {
	result, err := bench.Run(t.Context(), bench.Config{Rounds: 2, Chunks: 2, Calls: 100}, nil)
	assert.NoError(t, err)
	calls := map[string]int{"RPC": 200, "message": 800}
	for _, w := range bench.Workloads() {
		stacks := result.Rounds[w.Name]
		assert.Equal(t, len(stacks), 4, w.Name)
		for name, samples := range stacks {
			assert.Equal(t, len(samples), 2, w.Name, name)
			for _, s := range samples {
				assert.Equal(t, s.Calls, calls[w.Unit], w.Name, name)
				assert.True(t, s.CPU > 0 && s.AllocsPerCall() > 1 && s.BytesPerCall() > 64, w.Name, name)
			}
		}
	}
	var table strings.Builder
	assert.NoError(t, result.WriteMarkdown(&table))
	assert.Contains(t, table.String(), "go1.", "2 rounds of 2 chunks of 100 calls",
		"| unary 64 B |", "| unary 1 KiB |", "| stream 64 B |", "| bare |", "| bare again |", "| grpcx |", "| by hand |")
}

func TestRunRefusesNothing(t *testing.T) {
	_, err := bench.Run(t.Context(), bench.Config{Rounds: 1, Chunks: 1}, nil)
	assert.ErrorContains(t, err, "must be positive")
}
