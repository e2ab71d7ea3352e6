package migrate_test

import (
	"os"
	"testing"

	"github.com/grpcx-go/sdk/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m, func() { _ = os.RemoveAll(built.dir) }) }
