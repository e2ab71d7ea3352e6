package runtimex

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// goruntime is what the controller uses of the Go runtime.
type goruntime interface {
	procs() int
	setProcs(n int)
	// setDefaultProcs makes the runtime choose GOMAXPROCS, now and later.
	setDefaultProcs()

	memLimit() int64
	setMemLimit(bytes int64)
	gcPercent() int64
	setGCPercent(percent int64)
	// inUse is the memory that counts against the memory limit.
	inUse() int64
	freeOSMemory()

	sampleGC() gcSample
}

// liveRuntime is the runtime of this process.
type liveRuntime struct{}

func (liveRuntime) procs() int { return runtime.GOMAXPROCS(0) }

func (liveRuntime) setProcs(n int) { runtime.GOMAXPROCS(n) }

func (liveRuntime) setDefaultProcs() { runtime.SetDefaultGOMAXPROCS() }

func (liveRuntime) memLimit() int64 { return debug.SetMemoryLimit(-1) }

func (liveRuntime) setMemLimit(bytes int64) { debug.SetMemoryLimit(bytes) }

func (liveRuntime) gcPercent() int64 {
	// debug.SetGCPercent has no form that only reads.
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return signed(s[0])
}

func (liveRuntime) setGCPercent(percent int64) { debug.SetGCPercent(int(percent)) }

func (liveRuntime) inUse() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return signed(s[0]) - signed(s[1])
}

func (liveRuntime) freeOSMemory() { debug.FreeOSMemory() }

func (liveRuntime) sampleGC() gcSample { return readGCSample() }
