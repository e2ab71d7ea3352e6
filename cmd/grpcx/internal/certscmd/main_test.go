package certscmd_test

import (
	"os"
	"testing"

	"github.com/grpcx-go/sdk/internal/leak"
)

func TestMain(m *testing.M) {
	if os.Getenv(crashEnv) != "" {
		crash()
	}
	leak.Main(m)
}
