package release_test

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/release"
)

// TestReproducible: whoever builds the command from the release gets the same
// bytes, whatever the directories and the caches.
func TestReproducible(t *testing.T) {
	needEnv(t)
	t.Setenv("GOPROXY", upstream)
	plan := snapshot(t)
	for _, platform := range []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64"} {
		t.Run(platform, func(t *testing.T) {
			first, second := build(t, plan, platform), build(t, plan, platform)
			t.Logf("sha256 %x", sha256.Sum256(first))
			assert.True(t, bytes.Equal(first, second), "two builds differ")
		})
	}
}

// build installs the command of a release with caches of its own.
func build(t *testing.T, plan *release.Plan, platform string) []byte {
	t.Helper()
	box := sandbox(t, plan, sdk)
	name, err := box.Install(t.Context(), sdk+"/cmd/grpcx@v0.1.0", platform, "GOCACHE="+filepath.Join(box.Dir, "cache"))
	assert.NoError(t, err)
	binary, err := os.ReadFile(name)
	assert.NoError(t, err)
	assert.True(t, len(binary) > 1<<20, "no binary")
	assert.True(t, !bytes.Contains(binary, []byte(box.Dir)), "the binary holds the path of the build")
	return binary
}
