package grpcx

import (
	"testing"
	"time"
	"unsafe"

	"github.com/grpcx-go/sdk/internal/assert"
)

// The array of shards may begin anywhere in a cache line, so only a gap of a
// whole line keeps what two CPUs write apart.
func TestFirstShardsShareNoCacheLine(t *testing.T) {
	const line = 64
	var s firstShard
	gap := unsafe.Sizeof(s) - (unsafe.Offsetof(s.timeout) + unsafe.Sizeof(s.timeout))
	assert.True(t, gap >= line)
}

// BenchmarkFirstMessages is what a call pays for the first-message timeout,
// alone and with every CPU in the lists at once.
func BenchmarkFirstMessages(b *testing.B) {
	enter := func(f *firstMessages) {
		c := &call{start: time.Now()}
		f.add(c)
		c.gotFirstMessage()
	}
	b.Run("alone", func(b *testing.B) {
		f := newFirstMessages(time.Minute)
		defer f.close()
		b.ReportAllocs() // the call itself
		for b.Loop() {
			enter(f)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		f := newFirstMessages(time.Minute)
		defer f.close()
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				enter(f)
			}
		})
	})
	// Many wait, as under a slow-request attack, while others come and go.
	b.Run("parallel behind 10000", func(b *testing.B) {
		f := newFirstMessages(time.Minute)
		defer f.close()
		for range 10_000 {
			f.add(&call{start: time.Now()})
		}
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				enter(f)
			}
		})
	})
}
