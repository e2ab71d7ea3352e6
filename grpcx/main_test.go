package grpcx_test

import (
	"os"
	"testing"

	"github.com/grpcx-go/sdk/internal/leak"
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(drainChildEnv); spec != "" {
		os.Exit(runDrainChild(spec))
	}
	leak.Main(m)
}
