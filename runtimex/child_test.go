package runtimex_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

func setProcs(n int) { runtime.GOMAXPROCS(n) }

// startChild starts the test binary again with only the given settings of the
// runtime in its environment.
func startChild(t *testing.T, does string, settings ...string) (stdout, stderr string, err error) {
	t.Helper()
	self, err := os.Executable()
	assert.NoError(t, err)
	argv := []string{self}
	if emulator := os.Getenv("GRPCX_EMULATOR"); emulator != "" {
		// Under qemu-user the kernel cannot execute the foreign binary
		// itself ("exec format error"), and os.Executable may name qemu.
		path, err := exec.LookPath(emulator)
		assert.NoError(t, err)
		argv = []string{path, os.Args[0]}
	}
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains([]string{"GOMAXPROCS", "GOMEMLIMIT", "GOGC", "GODEBUG"}, name)
	})
	// Without GORACE, a child built with -race sleeps a second before it exits.
	cmd.Env = append(cmd.Env, childEnv+"="+does, "GORACE=atexit_sleep_ms=0")
	cmd.Env = append(cmd.Env, settings...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func reportOf(t *testing.T, does string, settings ...string) runtimex.Report {
	t.Helper()
	stdout, stderr, err := startChild(t, does, settings...)
	assert.NoError(t, err, stderr)
	var r runtimex.Report
	assert.NoError(t, json.Unmarshal([]byte(stdout), &r), stdout)
	return r
}
