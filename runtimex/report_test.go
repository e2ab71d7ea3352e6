package runtimex_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

// TestEnvironment starts a process per row, so that it is the runtime that
// reads the variables and the report that has to agree with it.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	const (
		procs = "GOMAXPROCS"
		limit = "GOMEMLIMIT"
		gogc  = "GOGC"
	)
	tests := []struct {
		name, env string
		value     int64
		source    runtimex.Source
		reason    []string
	}{
		{procs, "5", 5, runtimex.SourceEnv, []string{"GOMAXPROCS=5"}},
		{procs, "+6", 6, runtimex.SourceEnv, []string{"GOMAXPROCS=+6"}},
		{limit, "off", runtimex.NoLimit, runtimex.SourceEnv, []string{"GOMEMLIMIT=off"}},
		{limit, "123456789", 123456789, runtimex.SourceEnv, []string{"GOMEMLIMIT=123456789"}},
		{limit, "64KiB", 64 << 10, runtimex.SourceEnv, nil},
		{limit, "512MiB", 512 << 20, runtimex.SourceEnv, nil},
		{limit, "2GiB", 2 << 30, runtimex.SourceEnv, nil},
		{limit, "3TiB", 3 << 40, runtimex.SourceEnv, nil},
		{limit, "77777777B", 77777777, runtimex.SourceEnv, nil},
		{limit, "9223372036854775807", runtimex.NoLimit, runtimex.SourceEnv, nil},
		{limit, "", runtimex.NoLimit, runtimex.SourceRuntime, []string{"not set"}},
		{gogc, "off", runtimex.GCOff, runtimex.SourceEnv, []string{"GOGC=off"}},
		{gogc, "-17", runtimex.GCOff, runtimex.SourceEnv, []string{"GOGC=-17"}},
		{gogc, "250", 250, runtimex.SourceEnv, []string{"GOGC=250"}},
		{gogc, "100", 100, runtimex.SourceEnv, nil},
		{gogc, "0", 0, runtimex.SourceEnv, nil},
		{gogc, "", 100, runtimex.SourceRuntime, []string{"not set"}},
		{gogc, "99999999999", 100, runtimex.SourceRuntime, []string{`"99999999999"`, "ignored"}},
		{gogc, "OFF", 100, runtimex.SourceRuntime, []string{`"OFF"`, "ignored"}},
	}
	for _, tt := range tests {
		t.Run(tt.name+"="+tt.env, func(t *testing.T) {
			t.Parallel()
			r := reportOf(t, "report", tt.name+"="+tt.env)
			got := map[string]runtimex.Snapshot{procs: r.GOMAXPROCS, limit: r.GOMEMLIMIT, gogc: r.GOGC}
			assert.Equal(t, got[tt.name].Value, tt.value)
			assert.Equal(t, got[tt.name].Source, tt.source)
			assert.Contains(t, got[tt.name].Reason, tt.reason...)
			for name, s := range got {
				if name != tt.name {
					assert.Equal(t, s.Source, runtimex.SourceRuntime, name)
				}
			}
		})
	}
}

// TestIgnoredGOMAXPROCS compares with a process that has none, since the
// default depends on the machine.
func TestIgnoredGOMAXPROCS(t *testing.T) {
	t.Parallel()
	unset := reportOf(t, "report").GOMAXPROCS
	assert.Equal(t, unset.Source, runtimex.SourceRuntime)
	assert.NotContains(t, unset.Reason, "ignored")
	assert.Equal(t, reportOf(t, "report", "GOMAXPROCS=").GOMAXPROCS, unset)
	for _, env := range []string{"0", "-2", "all", "2.5", " 3", "4294967296"} {
		got := reportOf(t, "report", "GOMAXPROCS="+env).GOMAXPROCS
		assert.Equal(t, got.Value, unset.Value, env)
		assert.Equal(t, got.Source, runtimex.SourceRuntime, env)
		assert.Contains(t, got.Reason, fmt.Sprintf("GOMAXPROCS=%q", env), "ignored")
	}
}

// TestMalformedGOMEMLIMIT shows why no report has to describe one.
func TestMalformedGOMEMLIMIT(t *testing.T) {
	t.Parallel()
	stdout, stderr, err := startChild(t, "report", "GOMEMLIMIT=1GB")
	assert.True(t, err != nil, "the runtime accepted GOMEMLIMIT=1GB")
	assert.Contains(t, stderr, "malformed GOMEMLIMIT")
	assert.Equal(t, stdout, "")
}

func TestChangedByProgram(t *testing.T) {
	t.Parallel()
	t.Run("against the environment", func(t *testing.T) {
		t.Parallel()
		r := reportOf(t, "code", "GOMAXPROCS=5", "GOMEMLIMIT=64MiB", "GOGC=50")
		assert.Equal(t, r.GOMAXPROCS.Value, 3)
		assert.Equal(t, r.GOMAXPROCS.Source, runtimex.SourceCode)
		assert.Contains(t, r.GOMAXPROCS.Reason, "runtime.GOMAXPROCS", "says GOMAXPROCS=5")
		assert.Equal(t, r.GOMEMLIMIT.Value, 1<<30)
		assert.Equal(t, r.GOMEMLIMIT.Source, runtimex.SourceCode)
		assert.Contains(t, r.GOMEMLIMIT.Reason, "debug.SetMemoryLimit", "says GOMEMLIMIT=64MiB")
		assert.Equal(t, r.GOGC.Value, runtimex.GCOff)
		assert.Equal(t, r.GOGC.Source, runtimex.SourceCode)
		assert.Contains(t, r.GOGC.Reason, "debug.SetGCPercent", "says GOGC=50")
	})
	t.Run("without the environment", func(t *testing.T) {
		t.Parallel()
		r := reportOf(t, "code")
		// Whether 3 is the runtime's choice or the program's cannot be seen.
		assert.Equal(t, r.GOMAXPROCS.Value, 3)
		assert.Equal(t, r.GOMAXPROCS.Source, runtimex.SourceRuntime)
		assert.Contains(t, r.GOMAXPROCS.Reason, "unless the program")
		assert.Equal(t, r.GOMEMLIMIT.Source, runtimex.SourceCode)
		assert.Contains(t, r.GOMEMLIMIT.Reason, "GOMEMLIMIT was not set")
		assert.Equal(t, r.GOGC.Source, runtimex.SourceCode)
		assert.Contains(t, r.GOGC.Reason, "GOGC was not set")
	})
}

// TestSetenvLater: the runtime does not look again, so neither does the report.
func TestSetenvLater(t *testing.T) {
	t.Parallel()
	assert.Equal(t, reportOf(t, "setenv"), reportOf(t, "report"))
	set := []string{"GOMAXPROCS=4", "GOMEMLIMIT=32MiB", "GOGC=60"}
	assert.Equal(t, reportOf(t, "setenv", set...), reportOf(t, "report", set...))
}

// TestReadsOnly: nothing that can be observed differs after many reports. It
// does not run in parallel, because it looks at the whole process.
func TestReadsOnly(t *testing.T) {
	limit, procs := debug.SetMemoryLimit(-1), runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				r := runtimex.Current()
				assert.Equal(t, r.GOMEMLIMIT.Value, limit)
				assert.Equal(t, r.GOMAXPROCS.Value, int64(procs))
			}
		})
	}
	wg.Wait()
	assert.Equal(t, debug.SetMemoryLimit(-1), limit)
	assert.Equal(t, runtime.GOMAXPROCS(0), procs)
}

func TestMachineAndBuild(t *testing.T) {
	t.Parallel()
	r := runtimex.Current()
	assert.Equal(t, r.NumCPU, runtime.NumCPU())
	assert.Equal(t, r.PageSize, os.Getpagesize())
	assert.True(t, r.PageSize >= 4096 && r.PageSize&(r.PageSize-1) == 0, strconv.Itoa(r.PageSize))
	assert.Equal(t, []string{r.GOOS, r.GOARCH, r.GoVersion}, []string{runtime.GOOS, runtime.GOARCH, runtime.Version()})
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	r := runtimex.Report{
		GOMAXPROCS: runtimex.Snapshot{Value: 4, Source: runtimex.SourceEnv, Reason: "a"},
		GOMEMLIMIT: runtimex.Snapshot{Value: runtimex.NoLimit, Source: runtimex.SourceRuntime, Reason: "b"},
		GOGC:       runtimex.Snapshot{Value: runtimex.GCOff, Source: runtimex.SourceCode, Reason: "c"},
		NumCPU:     8, PageSize: 4096, GOOS: "linux", GOARCH: "arm64", GoVersion: "go1.26.0",
	}
	assert.Equal(t, r.GOMAXPROCS.String(), "4")
	assert.Equal(t, r.GOMEMLIMIT.String(), "off")
	assert.Equal(t, r.GOGC.String(), "off")

	text, err := json.Marshal(r)
	assert.NoError(t, err)
	assert.Equal(t, string(text), strings.Join([]string{
		`{"gomaxprocs":{"value":4,"source":"env","reason":"a"}`,
		`"gomemlimit":{"value":9223372036854775807,"source":"runtime","reason":"b"}`,
		`"gogc":{"value":-1,"source":"code","reason":"c"}`,
		`"num_cpu":8,"page_size":4096,"goos":"linux","goarch":"arm64","go_version":"go1.26.0"}`,
	}, ","))
	var back runtimex.Report
	assert.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, back, r)

	var line bytes.Buffer
	drop := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	slog.New(slog.NewTextHandler(&line, &slog.HandlerOptions{ReplaceAttr: drop})).Info("start", "runtime", r)
	assert.Equal(t, line.String(), "level=INFO msg=start "+
		"runtime.gomaxprocs.value=4 runtime.gomaxprocs.source=env runtime.gomaxprocs.reason=a "+
		"runtime.gomemlimit.value=off runtime.gomemlimit.source=runtime runtime.gomemlimit.reason=b "+
		"runtime.gogc.value=off runtime.gogc.source=code runtime.gogc.reason=c "+
		"runtime.num_cpu=8 runtime.page_size=4096 runtime.goos=linux runtime.goarch=arm64 runtime.go_version=go1.26.0\n")
}

func BenchmarkCurrent(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		runtimex.Current()
	}
}
