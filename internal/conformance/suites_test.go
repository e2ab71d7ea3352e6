package conformance_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

// programs returns where the programs of the module in testdata/suites are. It
// builds them once.
func programs(t *testing.T) (dir string) {
	t.Helper()
	heavy(t)
	built.Do(func() {
		built.dir, built.err = filepath.Abs(filepath.Join("..", "..", ".tmp", "conformance"))
		if built.err == nil {
			cmd := exec.Command("go", "build", "-C", "testdata/suites", "-buildvcs=false", "-o", built.dir+"/", "./...", "tool")
			cmd.Env = append(os.Environ(), "GOWORK=off")
			built.out, built.err = cmd.CombinedOutput()
		}
	})
	assert.NoError(t, built.err, string(built.out))
	return built.dir
}

var built struct {
	sync.Once
	dir string
	out []byte
	err error
}
