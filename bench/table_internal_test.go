package bench

import (
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
)

func TestSpread(t *testing.T) {
	assert.Equal(t, spreadOf([]float64{3, 1, 2}), spread{2, 1, 3})
	assert.Equal(t, spreadOf([]float64{4, 1, 2, 3}), spread{2.5, 1, 4})
	assert.Equal(t, spreadOf([]float64{7}), spread{7, 7, 7})
}

// Ratios are of one round: a round that was slow for both does not count.
func TestRowComparesWithinRounds(t *testing.T) {
	sample := func(cpu time.Duration, allocs uint64) Sample {
		return Sample{Usage{CPU: cpu * 10, Allocs: allocs * 10, Bytes: allocs * 100}, 10}
	}
	rounds := map[string][]Sample{
		Bare:    {sample(10*time.Microsecond, 50), sample(40*time.Microsecond, 50), sample(20*time.Microsecond, 50)},
		"same":  {sample(10*time.Microsecond, 50), sample(40*time.Microsecond, 49), sample(20*time.Microsecond, 50)},
		"grpcx": {sample(11*time.Microsecond, 53), sample(48*time.Microsecond, 53), sample(20*time.Microsecond, 53)},
	}
	var b strings.Builder
	r := &Result{}
	r.writeRow(&b, rounds, Bare)
	r.writeRow(&b, rounds, "same")
	r.writeRow(&b, rounds, "grpcx")
	assert.Equal(t, b.String(), ""+
		"| bare | 50.0 | 500 | 20.0 | 1.00 (1.00–1.00) |\n"+
		"| same | 50.0 (+0.0) | 500 (+0) | 20.0 | 1.00 (1.00–1.00) |\n"+
		"| grpcx | 53.0 (+3.0) | 530 (+30) | 20.0 | 1.10 (1.00–1.20) |\n")
}
