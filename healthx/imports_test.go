package healthx_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

// TestImports keeps the package a leaf: the standard library, grpc and its
// health service.
func TestImports(t *testing.T) {
	files, err := filepath.Glob("*.go")
	assert.NoError(t, err)
	seen := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		assert.NoError(t, err)
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			assert.NoError(t, err)
			first, _, _ := strings.Cut(path, "/")
			switch {
			case !strings.Contains(first, "."):
			case path == "google.golang.org/grpc", path == "google.golang.org/grpc/codes", path == "google.golang.org/grpc/status",
				path == "google.golang.org/grpc/connectivity", path == "google.golang.org/grpc/health/grpc_health_v1":
				seen++
			default:
				t.Errorf("%s imports %s", file, path)
			}
		}
	}
	assert.True(t, seen >= 4, "the test found too few imports to be right")
}
