package doctorcmd_test

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/doctorcmd"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

// TestThisMachine: the truth about the machine of the test, which may be an
// emulated one, and nothing is changed.
func TestThisMachine(t *testing.T) {
	before := runtimex.Current()
	got := run(t, doctorcmd.New, "-o", "json")
	after := runtimex.Current()
	assert.Equal(t, after.GOMAXPROCS.Value, before.GOMAXPROCS.Value)
	assert.Equal(t, after.GOMEMLIMIT.Value, before.GOMEMLIMIT.Value)
	assert.Equal(t, after.GOGC.Value, before.GOGC.Value)

	r := parse(t, got.stdout)
	assert.Equal(t, r.Machine.PageSize, os.Getpagesize())
	assert.Equal(t, r.Machine.Features, runtimex.Machine().Features)
	// What the emulator was told, if there is one.
	if size := os.Getenv("QEMU_PAGESIZE"); size != "" {
		assert.Equal(t, strconv.Itoa(r.Machine.PageSize), size)
		assert.Equal(t, strconv.Itoa(r.Limits.PageSize), size)
		assert.Equal(t, r.Machine.GOARCH, "arm64")
		assert.Equal(t, len(r.of("machine.page-size")), 1)
		assert.Equal(t, r.of("machine.page-size")[0].Level == "warning", size == "65536")
	}
	if model := os.Getenv("QEMU_CPU"); model != "" {
		features := " " + strings.Join(r.Machine.Features, " ") + " "
		assert.Equal(t, strings.Contains(features, " atomics "), model != "cortex-a53", model, features)
		cpu := r.of("machine.cpu")[0]
		assert.Equal(t, cpu.Level, "ok")
		if name := map[string]string{"cortex-a53": "Cortex-A53", "neoverse-n1": "Neoverse N1", "max": "QEMU max"}[model]; name != "" {
			assert.True(t, strings.HasPrefix(r.Machine.CPUModel, name), r.Machine.CPUModel)
			assert.Contains(t, cpu.Text, "("+name, "built for arm64")
		}
	}
	srv, err := grpcx.New(grpcx.WithInsecure())
	assert.NoError(t, err)
	assert.Equal(t, r.Server.MaxConnections, srv.Settings().Limits.MaxConnections)

	// No check is left out without a word.
	for _, id := range []string{"build.go", "build.fips140", "runtime.godebug", "machine.cpu", "machine.page-size", "limits.files", "tls.certificate", "clock.time", "clock.sync"} {
		assert.Equal(t, len(r.of(id)), 1, id)
	}
	for _, f := range r.Findings {
		assert.True(t, f.Text != "" && f.Source != "", f.ID)
		assert.Equal(t, f.Remedy == "", f.Level == "ok", f.ID)
	}
	assert.Equal(t, got.code == 1, r.Errors > 0, got.stderr)
}

// TestAddresses binds for real.
func TestAddresses(t *testing.T) {
	held, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	defer held.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	assert.NoError(t, free.Close())

	args := []string{"-o", "json", "--addr", held.Addr().String(), "--addr", free.Addr().String(), "--addr", free.Addr().String()}
	got := run(t, doctorcmd.New, args...)
	assert.Equal(t, got.code, 1)
	found := parse(t, got.stdout).of("addr.bind")
	assert.Equal(t, len(found), 2, "an address named twice is looked at once")
	for _, f := range found {
		switch f.Source {
		case held.Addr().String():
			assert.Equal(t, f.Level, "error")
			assert.Contains(t, f.Text, "cannot be listened on", "in use")
			assert.Contains(t, f.Remedy, "stop what holds it")
		case free.Addr().String():
			assert.Equal(t, f.Level, "ok", f.Text)
		default:
			t.Errorf("%+v", f)
		}
	}
	// A port of 0 is chosen by the system, and a server that listens on both of
	// two addresses cannot have them on the same port.
	_, port, err := net.SplitHostPort(free.Addr().String())
	assert.NoError(t, err)
	got = run(t, doctorcmd.New, "-o", "json", "--addr", "127.0.0.1:0", "--addr", "localhost:"+port, "--addr", "127.0.0.1:"+port)
	assert.Equal(t, got.code, 1)
	found = parse(t, got.stdout).of("addr.bind")
	assert.Equal(t, len(found), 3)
	assert.Contains(t, found[0].Text, "127.0.0.1:0 can be listened on, at a free port")
	assert.Equal(t, found[1].Level, "ok", found[1].Text)
	assert.Equal(t, found[2].Level, "error", found[2].Text)
	assert.Contains(t, found[2].Remedy, "leave out --addr 127.0.0.1:"+port)

	// It is free again.
	l, err := net.Listen("tcp", free.Addr().String())
	assert.NoError(t, err)
	assert.NoError(t, l.Close())
}
