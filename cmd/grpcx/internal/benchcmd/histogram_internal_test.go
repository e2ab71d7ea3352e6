package benchcmd

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
)

// Buckets are in order, without gaps, and no wider than 1/64 of what is in
// them.
func TestHistogramBuckets(t *testing.T) {
	last := 0
	for ns := range 1 << 16 {
		b := bucketOf(time.Duration(ns))
		assert.True(t, b == last || b == last+1, "a gap")
		last = b
	}
	for range 10000 {
		d := time.Duration(rand.Uint64() >> (1 + rand.UintN(62)))
		off := middleOf(bucketOf(d)) - d
		if off.Abs() > d/64 {
			t.Fatalf("%d is counted as %d", d, d+off)
		}
	}
	var h histogram
	assert.Equal(t, bucketOf(math.MaxInt64), len(h.buckets)-1)
	assert.Equal(t, bucketOf(-1), 0)
}

func TestHistogramQuantile(t *testing.T) {
	var h, half histogram
	assert.Equal(t, h.quantile(0.5), 0)
	for i := range 1000 {
		d := time.Duration(i+1) * time.Microsecond
		if i%2 == 0 {
			h.add(d)
		} else {
			half.add(d)
		}
	}
	h.merge(&half)
	assert.Equal(t, h.count(), 1000)
	for q, want := range map[float64]time.Duration{
		0: time.Microsecond, 0.5: 500 * time.Microsecond, 0.99: 990 * time.Microsecond, 1: time.Millisecond,
	} {
		got := h.quantile(q)
		assert.True(t, (got-want).Abs() <= want/64, want.String(), got.String())
	}
}

// Against the exact quantile of the same durations.
func TestHistogramRandom(t *testing.T) {
	var h histogram
	list := make([]time.Duration, 5000)
	for i := range list {
		list[i] = time.Duration(rand.ExpFloat64() * 1e6)
		h.add(list[i])
	}
	slices.Sort(list)
	for _, q := range []float64{0.5, 0.99} {
		want := list[int(q*float64(len(list))+0.5)-1]
		assert.True(t, (h.quantile(q)-want).Abs() <= want/64)
	}
}
