package probes_test

import (
	"os"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// heavy skips a test that `make test` has no time for.
func heavy(t *testing.T) {
	t.Helper()
	if os.Getenv("GRPCX_PROBES") == "" {
		t.Skip("runs with `make test-probes`")
	}
}

// waitFor polls a condition and fails the test when it does not come true.
func waitFor(t *testing.T, what string, met func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s did not come within 10s", what)
		}
	}
}
