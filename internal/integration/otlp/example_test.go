package otlp_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

// The Collector accepts the configuration of examples/otlp.
func TestExampleConfiguration(t *testing.T) {
	heavy(t)
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "otlp", "collector.yaml"))
	assert.NoError(t, err)
	file, err := collectorBinary()
	assert.NoError(t, err)
	out, err := exec.Command(file, "validate", "--config", "yaml:"+string(text)).CombinedOutput()
	assert.NoError(t, err, string(out))
	out, err = exec.Command(file, "validate", "--config", "yaml:"+string(text)+"\nnonsense: {}\n").CombinedOutput()
	assert.True(t, err != nil, "the Collector refuses what it does not know: "+string(out))
}
