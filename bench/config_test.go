package bench_test

import (
	"slices"
	"testing"

	"github.com/grpcx-go/sdk/bench"
	"github.com/grpcx-go/sdk/internal/assert"
)

func TestSelect(t *testing.T) {
	cfg := bench.Config{
		Programs: []bench.Program{
			{Stacks: []string{"bare", "bare again", "grpcx", "grpcx without recovery"}},
			{Stacks: []string{"kratos", "dskit"}},
		},
		Loads: bench.Loads(),
	}
	original := cfg.Programs[0].Stacks
	cfg.Programs = slices.Clone(cfg.Programs)
	assert.NoError(t, cfg.SelectStacks("grpcx*, dskit"))
	assert.Equal(t, cfg.Programs[0].Stacks, []string{"bare", "grpcx", "grpcx without recovery"})
	assert.Equal(t, cfg.Programs[1].Stacks, []string{"dskit"})
	assert.Equal(t, original, []string{"bare", "bare again", "grpcx", "grpcx without recovery"})

	assert.NoError(t, cfg.SelectLoads("stream-*"))
	assert.Equal(t, len(cfg.Loads), 2)
	assert.NoError(t, cfg.SelectLoads(""))
	assert.Equal(t, len(cfg.Loads), 2)

	assert.ErrorContains(t, cfg.SelectStacks("grpcx,made up"), `no stack matches "made up"`, "bare, grpcx, grpcx without recovery, dskit")
	assert.ErrorContains(t, cfg.SelectLoads("unary-65"), `no load matches "unary-65"`, "stream-64, stream-1m")
	assert.ErrorContains(t, cfg.SelectLoads("[a"), `load "[a"`, "syntax error")
}

// Names are used in flags and in the names of files.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range bench.Loads() {
		assert.True(t, !seen[l.Name], l.Name)
		seen[l.Name] = true
		for _, c := range l.Name {
			assert.True(t, c == '-' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9', l.Name)
		}
	}
	self, err := bench.Self()
	assert.NoError(t, err)
	for _, name := range self.Stacks {
		assert.NotContains(t, name, ",", "/")
	}
}
