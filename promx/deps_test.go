package promx_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

// TestGoldenDependencies pins the modules that promx compiles into programs, as
// the tests of the root do for its packages.
func TestGoldenDependencies(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.Module.Path}}{{end}}", ".")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOWORK=off")
	out, err := cmd.Output()
	assert.NoError(t, err)
	modules := strings.Fields(string(out))
	slices.Sort(modules)
	got := strings.Join(slices.Compact(modules), "\n") + "\n"

	const golden = "testdata/deps.txt"
	if *update {
		assert.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	assert.NoError(t, err)
	if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("promx compiles\n%swhere %s has\n%sIf every line is wanted, run: go test . -run TestGoldenDependencies -update", got, golden, want)
	}
}

// stable are the modules whose types may be in a signature.
var stable = []string{
	"context", "net/http",
	"github.com/grpcx-go/sdk/",
	"github.com/prometheus/client_golang/",
	"go.opentelemetry.io/otel/sdk/metric",
}

// TestSignatures: a type of a v0 module in an exported signature would tie our
// promise to a module that makes none. The exporter of OpenTelemetry is v0.
func TestSignatures(t *testing.T) {
	files, err := filepath.Glob("*.go")
	assert.NoError(t, err)
	seen := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		assert.NoError(t, err)
		imports := map[string]string{}
		for _, i := range f.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			assert.NoError(t, err)
			local := path[strings.LastIndex(path, "/")+1:]
			if i.Name != nil {
				local = i.Name.Name
			} else if local == "metric" {
				t.Errorf("%s: name the import of %s", name, path)
			}
			imports[local] = path
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() || fn.Recv != nil {
				continue
			}
			ast.Inspect(fn.Type, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					seen++
					path := imports[s.X.(*ast.Ident).Name]
					assert.True(t, slices.ContainsFunc(stable, func(p string) bool { return strings.HasPrefix(path, p) }), fn.Name.Name, " mentions ", path)
				}
				return true
			})
		}
	}
	assert.True(t, seen >= 4, "signatures")
}
