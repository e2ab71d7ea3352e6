package bench_test

import (
	"os"
	"testing"

	"github.com/grpcx-go/sdk/bench"
	"github.com/grpcx-go/sdk/internal/leak"
)

func TestMain(m *testing.M) {
	bench.ServeIfChild()
	// A process with the race detector otherwise sleeps for a second at its end.
	os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	leak.Main(m)
}
