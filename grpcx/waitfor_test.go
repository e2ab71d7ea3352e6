package grpcx_test

import (
	"testing"
	"time"
)

// waitFor polls a condition and fails the test when it does not come true.
func waitFor(t testing.TB, what string, met func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s did not come within 10s", what)
		}
	}
}
