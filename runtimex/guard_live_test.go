package runtimex_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
)

// TestGuardAtWork has the collector of another process work under a memory
// limit, with a controller as users have it, on any machine.
func TestGuardAtWork(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	if os.Getenv("GRPCX_EMULATOR") != "" || os.Getenv("GRPCX_VM") != "" {
		t.Skip("an emulated collector says nothing about a real one")
	}
	t.Run("little room", func(t *testing.T) {
		start := time.Now()
		pressure, _ := guardAtWork(t, loadSpec{LiveMiB: 160, For: 30 * time.Second}, true, "GOGC=100")
		assert.Equal(t, len(pressure), 1)
		if len(pressure) == 1 {
			// The first part of it is the making of the live set.
			t.Logf("%.0f %% reported after %v", 100*pressure[0].Event.Fraction, pressure[0].At.Sub(start))
			assert.True(t, pressure[0].Event.Fraction >= 0.25)
		}
	})
	t.Run("enough", func(t *testing.T) {
		// With GOGC=100 the load is near the threshold where others use the CPUs.
		pressure, load := guardAtWork(t, loadSpec{LiveMiB: 40, For: 4 * time.Second}, false, "GOGC=200")
		t.Logf("%.0f %%", 100*load.GC)
		assert.Equal(t, len(pressure), 0)
	})
}

// guardAtWork returns what the guard of a process under that load says, or the
// first that it says.
func guardAtWork(t *testing.T, load loadSpec, first bool, gogc string) (pressure []liveMessage, result loadResult) {
	t.Helper()
	self, err := os.Executable()
	assert.NoError(t, err)
	spec, err := json.Marshal(liveSpec{})
	assert.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains([]string{"GOMAXPROCS", "GOMEMLIMIT", "GOGC", "GODEBUG"}, name)
	})
	cmd.Env = append(cmd.Env, childEnv+"="+liveMode, specEnv+"="+string(spec), "GOMEMLIMIT=224MiB", gogc, "GORACE=atexit_sleep_ms=0")
	cmd.Stdin = strings.NewReader(fmt.Sprintf("load %s\n", load))
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	assert.NoError(t, err)
	assert.NoError(t, cmd.Start())
	messages := json.NewDecoder(stdout)
	for {
		var m liveMessage
		err := messages.Decode(&m)
		if errors.Is(err, io.EOF) {
			assert.NoError(t, cmd.Wait())
			return pressure, result
		}
		assert.NoError(t, err)
		assert.Equal(t, m.Error, "")
		switch {
		case m.Load != nil:
			result = *m.Load
		case m.Event != nil && m.Event.Kind == "pressure":
			pressure = append(pressure, m)
			if first {
				assert.NoError(t, cmd.Process.Kill())
				_ = cmd.Wait() // it was killed
				return pressure, result
			}
		}
	}
}
