package runtimex_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/cgrouptest"
	"github.com/grpcx-go/sdk/runtimex"
)

// TestLiveOldModule: a main module with the defaults of Go 1.24 switches the
// runtime's own tracking off without anybody's wish, so we do it. A go line of
// 1.24 would do the same, but cannot be together with a requirement that has a
// later one, as this module has.
func TestLiveOldModule(t *testing.T) {
	all := liveCPUs(t)
	q := liveQuotas(t)
	g := cgrouptest.New(t, "old")
	g.SetCPU(q.low)
	program := buildOld(t)

	bare := startProgram(t, program, g, cgrouptest.Placement{}, liveSpec{Bare: true})
	assert.Equal(t, bare.first.Procs, len(all))
	l := startProgram(t, program, g, cgrouptest.Placement{}, liveSpec{Policy: q.policy, NoEvents: true})
	assert.Equal(t, l.first.Procs, int(q.low))
	g.SetCPU(q.high)
	t.Log("raised after", l.eventually("raised", func(s liveState) bool { return s.Procs == int(q.high) }))
	// The number is what the runtime would use if it looked. It does not.
	l.setAffinity(all[0])
	t.Log("affinity after", l.eventually("affinity", func(s liveState) bool { return s.Procs == 1 }))
	assert.NotContains(t, l.state().Report.GOMAXPROCS.Reason, "by itself")
}

// buildOld builds the program in testdata/oldmodule as a module of its own,
// without the network.
func buildOld(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command: ", err)
	}
	root, err := filepath.Abs("..")
	assert.NoError(t, err)
	dir := t.TempDir()
	for to, from := range map[string]string{"main.go": "testdata/oldmodule/main.go", "go.sum": "../go.sum"} {
		text, err := os.ReadFile(from)
		assert.NoError(t, err)
		assert.NoError(t, os.WriteFile(filepath.Join(dir, to), text, 0o600))
	}
	assert.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(`module example.com/old

go 1.26.0

godebug default=go1.24

require github.com/grpcx-go/sdk v0.0.0

replace github.com/grpcx-go/sdk => `+root+"\n"), 0o600))
	cmd := exec.Command("go", "build", "-o", "program", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod -buildvcs=false", "GOPROXY=off", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("it cannot be built here: %v\n%s", err, out)
	}
	return filepath.Join(dir, "program")
}

// TestLiveGODEBUG: a setting in the environment is somebody's wish. It is
// respected and reported, unless the program says otherwise.
func TestLiveGODEBUG(t *testing.T) {
	q := liveQuotas(t)
	g := cgrouptest.New(t, "godebug")
	g.SetCPU(q.low)
	g.SetMemory(256 * mib)
	n := len(liveCPUs(t))
	s := startLive(t, g, cgrouptest.Placement{}, liveSpec{Policy: q.policy}, "GODEBUG=containermaxprocs=0").first
	assert.Equal(t, s.Procs, n)
	assert.Equal(t, s.Report.GOMAXPROCS.Source, runtimex.SourceEnv)
	assert.Contains(t, s.Report.GOMAXPROCS.Reason, "containermaxprocs=0")
	assert.Equal(t, s.Limit, 224*mib) // which the setting is not about

	l := startLive(t, g, cgrouptest.Placement{}, liveSpec{Policy: q.policy, Override: true}, "GODEBUG=containermaxprocs=0")
	assert.Equal(t, l.first.Procs, int(q.low))
	assert.Equal(t, l.do("undo").State.Procs, n)
}
