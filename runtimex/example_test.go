package runtimex_test

import (
	"fmt"
	"io/fs"
	"log"
	"log/slog"
	"runtime"
	"runtime/debug"
	"testing/fstest"

	"github.com/grpcx-go/sdk/runtimex"
)

func ExampleApply() {
	before := runtime.GOMAXPROCS(0)
	tuning, err := runtimex.Apply(
		runtimex.WithMaxProcs(1),
		runtimex.WithReserve(16<<20), // for cgo
		runtimex.WithLogger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tuning.Report().GOMAXPROCS)
	tuning.Undo()
	fmt.Println(runtime.GOMAXPROCS(0) == before)
	// Output:
	// 1
	// true
}

// The same options as a service team would pass; a mistake comes back with its
// remedy.
func ExampleOptionError() {
	_, err := runtimex.Apply(runtimex.WithMode("turbo"))
	fmt.Println(err)
	// Output: runtimex: WithMode(turbo): there is no mode "turbo"; use Balanced, Throughput or Compact
}

// The limits of a container, here from files in memory; on a machine, of
// os.DirFS("/").
func ExampleDetect() {
	file := func(content string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(content)} }
	var root fs.FS = fstest.MapFS{
		"proc/self/cgroup":              file("0::/pod/app\n"),
		"proc/self/mountinfo":           file("31 23 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
		"proc/self/status":              file("Cpus_allowed:\tff\n"),
		"sys/fs/cgroup/pod/cpu.max":     file("250000 100000\n"),
		"sys/fs/cgroup/pod/memory.max":  file("536870912\n"),
		"sys/fs/cgroup/pod/app/cpu.max": file("max 100000\n"),
	}
	limits, err := runtimex.Detect(root)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(limits.CPUQuota, "of", limits.CPUs, "CPUs,", limits.Memory>>20, "MiB")
	for _, level := range limits.Levels {
		fmt.Println(level.Path, level.CPUQuota)
	}
	// Output:
	// 2.5 of 8 CPUs, 512 MiB
	// /pod/app 0
	// /pod 2.5
	// / 0
}

func ExampleCurrent() {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(512 << 20))

	limit := runtimex.Current().GOMEMLIMIT
	fmt.Println(limit, limit.Source)
	// Output: 536870912 code
}

func ExampleSnapshot_String() {
	fmt.Println(runtimex.Snapshot{Value: 512 << 20})
	fmt.Println(runtimex.Snapshot{Value: runtimex.NoLimit})
	// Output:
	// 536870912
	// off
}
