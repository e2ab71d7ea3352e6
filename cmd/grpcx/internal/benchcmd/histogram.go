package benchcmd

import (
	"math/bits"
	"time"
)

// A histogram counts durations in buckets no wider than 1/64 of what they
// hold, so that a long measurement takes no more memory than a short one.
type histogram struct {
	buckets [(64 - subBits) << subBits]uint32
}

const subBits = 6

// bucketOf numbers the durations below 64 ns one by one, and those of each
// further power of two in 64 steps.
func bucketOf(d time.Duration) int {
	ns := uint64(max(d, 0))
	shift := max(bits.Len64(ns)-subBits-1, 0)
	return shift<<subBits + int(ns>>shift)
}

// middleOf is the middle of a bucket.
func middleOf(bucket int) time.Duration {
	shift := max(bucket>>subBits-1, 0)
	low := uint64(bucket-shift<<subBits) << shift
	return time.Duration(low + 1<<shift/2)
}

func (h *histogram) add(d time.Duration) { h.buckets[bucketOf(d)]++ }

func (h *histogram) merge(other *histogram) {
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
}

func (h *histogram) count() int {
	total := 0
	for _, n := range h.buckets {
		total += int(n)
	}
	return total
}

// quantile is by the nearest rank, and 0 of an empty histogram.
func (h *histogram) quantile(q float64) time.Duration {
	rank := max(int(q*float64(h.count())+0.5), 1)
	for bucket, n := range h.buckets {
		if rank -= int(n); rank <= 0 {
			return middleOf(bucket)
		}
	}
	return 0
}
