package bench_test

import (
	"testing"

	"github.com/grpcx-go/sdk/bench"
	"github.com/grpcx-go/sdk/internal/assert"
)

// The program of the peers is built from the checkout.
func TestBuildPeersElsewhere(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := bench.BuildPeers(t.Context(), t.TempDir())
	assert.ErrorContains(t, err, "run it there", "go list")
}
