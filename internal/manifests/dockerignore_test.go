package manifests_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/grpcx-go/sdk/internal/assert"
)

// Keys never enter the build context, the sources do.
func TestDockerignore(t *testing.T) {
	f, err := os.Open(filepath.Join(deploy, "Dockerfile.dockerignore"))
	assert.NoError(t, err)
	defer func() { _ = f.Close() }()
	patterns, err := ignorefile.ReadAll(f)
	assert.NoError(t, err)
	matcher, err := patternmatcher.New(patterns)
	assert.NoError(t, err)
	for name, want := range map[string]bool{
		"examples/deploy/certs/server/tls.key":                           true,
		"examples/deploy/kubernetes/overlays/plain/certs/client/tls.key": true,
		"examples/certs/client.key":                                      true,
		".git/config":                                                    true,
		"go.work":                                                        true,
		"go.work.sum":                                                    true,
		"grpcx/server_test.go":                                           true,
		"tlsx/testdata/x":                                                true,
		"go.mod":                                                         false,
		"examples/go.sum":                                                false,
		"examples/deploy/server/main.go":                                 false,
		"grpcx/server.go":                                                false,
		"tlsx/devcert/dir.go":                                            false,
	} {
		got, err := matcher.MatchesOrParentMatches(name)
		assert.NoError(t, err)
		assert.Equal(t, got, want, name)
	}
}
