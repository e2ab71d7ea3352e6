package runtimex_test

import (
	"crypto/sha256"
	"encoding/json"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"time"
)

// loadSpec is a server's work without the server: a live set, requests that
// allocate and compute, and now and then a spike.
type loadSpec struct {
	LiveMiB, SpikeMiB int
	For               time.Duration
	// Light leaves out what costs CPU and not memory: requests do not compute,
	// and the live set is of large pieces. For emulated machines.
	Light bool
}

// String is the spec as the child reads it.
func (spec loadSpec) String() string {
	text, _ := json.Marshal(spec)
	return string(text)
}

// loadResult is what came of it. GC is the collector's share of all CPU time.
type loadResult struct {
	RPS       float64
	P50, P99  time.Duration
	GC        float64
	Cycles    int
	PeakInUse int64
}

// loadNode is a piece of the live set, which the collector follows one by one.
type loadNode struct {
	next *loadNode
	data []byte
}

// nodeBytes is the size of the data of a loadNode.
func (spec loadSpec) nodeBytes() int {
	if spec.Light {
		return 4 << 10
	}
	return 96
}

const (
	loadWorkers = 8
	// A request makes 72 KiB of garbage in pieces of 1 KiB, hashes each a few
	// times, and replaces a little of the live set.
	loadPieces, loadRounds, loadReplaced = 72, 4, 4
	spikeEvery, spikeHeld                = 500 * time.Millisecond, 200 * time.Millisecond
)

func (spec loadSpec) run() loadResult {
	live := spec.newLiveSet()
	gc := newGCClock()
	end := time.Now().Add(spec.For)
	var wg sync.WaitGroup
	latencies := make([]*histogram, loadWorkers)
	for i := range latencies {
		latencies[i] = new(histogram)
		part := live[i*len(live)/loadWorkers : (i+1)*len(live)/loadWorkers]
		wg.Go(func() {
			for now := time.Now(); now.Before(end); {
				spec.request(part)
				done := time.Now()
				latencies[i].add(done.Sub(now))
				now = done
			}
		})
	}
	var peak int64
	wg.Go(func() {
		for time.Now().Before(end) {
			peak = max(peak, spike(spec.SpikeMiB))
			time.Sleep(spikeEvery - spikeHeld)
		}
	})
	wg.Wait()
	all := new(histogram)
	for _, h := range latencies {
		all.merge(h)
	}
	share, cycles := gc.since()
	return loadResult{
		RPS: float64(all.count) / spec.For.Seconds(), P50: all.quantile(.5), P99: all.quantile(.99),
		GC: share, Cycles: cycles, PeakInUse: peak,
	}
}

// newLiveSet makes nodes that are linked in random order.
func (spec loadSpec) newLiveSet() []*loadNode {
	const overhead = 40 // a node and the pointer to it
	nodes := make([]*loadNode, max(spec.LiveMiB<<20/(spec.nodeBytes()+overhead), loadWorkers*loadReplaced))
	for i := range nodes {
		nodes[i] = &loadNode{data: make([]byte, spec.nodeBytes())}
	}
	for _, n := range nodes {
		n.next = nodes[rand.IntN(len(nodes))]
	}
	return nodes
}

// request works on a part of the live set that is its caller's.
func (spec loadSpec) request(part []*loadNode) {
	rounds := loadRounds
	if spec.Light {
		rounds = 0
	}
	pieces := make([][]byte, loadPieces)
	var sum [sha256.Size]byte
	for i := range pieces {
		pieces[i] = make([]byte, 1<<10)
		copy(pieces[i], sum[:])
		for range rounds {
			sum = sha256.Sum256(pieces[i])
			pieces[i][0] = sum[0]
		}
	}
	for range loadReplaced {
		node := part[rand.IntN(len(part))]
		node.data = make([]byte, spec.nodeBytes())
		copy(node.data, pieces[len(pieces)-1])
	}
}

// spike holds that many MiB for a moment and returns the memory in use then.
func spike(mib int) int64 {
	pieces := make([][]byte, mib<<10)
	for i := range pieces {
		pieces[i] = make([]byte, 1<<10)
		pieces[i][0] = 1
	}
	time.Sleep(spikeHeld)
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	if len(pieces) > 0 {
		pieces[0][0]++ // held until here
	}
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64())
}

// gcClock measures the collector's share of the CPU time.
type gcClock struct{ samples []metrics.Sample }

func newGCClock() gcClock {
	runtime.GC() // which brings the metrics up to date
	c := gcClock{[]metrics.Sample{
		{Name: "/cpu/classes/gc/total:cpu-seconds"},
		{Name: "/cpu/classes/total:cpu-seconds"},
		{Name: "/gc/cycles/total:gc-cycles"},
	}}
	metrics.Read(c.samples)
	return c
}

func (c gcClock) since() (share float64, cycles int) {
	runtime.GC()
	now := slices.Clone(c.samples)
	metrics.Read(now)
	gc := now[0].Value.Float64() - c.samples[0].Value.Float64()
	all := now[1].Value.Float64() - c.samples[1].Value.Float64()
	return gc / all, int(now[2].Value.Uint64() - c.samples[2].Value.Uint64())
}

// histogram counts durations in classes 5 % apart, from a microsecond on.
type histogram struct {
	classes [400]int
	count   int
}

func (h *histogram) add(d time.Duration) {
	class := int(math.Log(max(float64(d)/float64(time.Microsecond), 1)) / math.Log(1.05))
	h.classes[min(class, len(h.classes)-1)]++
	h.count++
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other.classes {
		h.classes[i] += n
	}
	h.count += other.count
}

func (h *histogram) quantile(q float64) time.Duration {
	rest := int(q * float64(h.count))
	for class, n := range h.classes {
		if rest -= n; rest < 0 {
			return time.Duration(math.Pow(1.05, float64(class)+.5) * float64(time.Microsecond)).Round(10 * time.Microsecond)
		}
	}
	return 0
}
