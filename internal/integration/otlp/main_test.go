package otlp_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/leak"
)

func TestMain(m *testing.M) {
	leak.Main(m, func() {
		if dir := binaries(); dir != "" {
			_ = os.RemoveAll(dir)
		}
	})
}

var binaries = func() string { return "" }

// collectorBinary builds the Collector once.
var collectorBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "collector")
	if err != nil {
		return "", err
	}
	binaries = func() string { return dir }
	file := filepath.Join(dir, "collector")
	cmd := exec.Command("go", "build", "-o", file, ".")
	cmd.Dir = filepath.Join("testdata", "collector")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the collector: %w\n%s", err, out)
	}
	return file, nil
})

// heavy skips a test that `make test` has no time for.
func heavy(t *testing.T) {
	t.Helper()
	if os.Getenv("GRPCX_INTEGRATION") == "" {
		t.Skip("runs with `make test-integration`")
	}
}

// waitFor polls a condition and fails the test when it does not come true.
func waitFor(t *testing.T, what string, met func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s did not come within 30s", what)
		}
	}
}
