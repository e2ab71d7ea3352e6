package otlpx_test

import (
	"flag"
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

var update = flag.Bool("update", false, "rewrite the golden file of dependencies")

// goList runs go list for linux/amd64, wherever the tests run.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOWORK=off")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	assert.NoError(t, err, stderr.String())
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// TestGoldenDependencies pins what the package compiles into its users'
// programs, by module.
func TestGoldenDependencies(t *testing.T) {
	t.Parallel()
	modules := map[string][]string{}
	for _, line := range goList(t, "-deps", "-f", "{{with .Module}}{{.Path}}{{end}} {{.ImportPath}}", ".") {
		module, pkg, _ := strings.Cut(line, " ")
		if module != "" {
			modules[module] = append(modules[module], "."+strings.TrimPrefix(pkg, module))
		}
	}
	var b strings.Builder
	names := make([]string, 0, len(modules))
	for module := range modules {
		names = append(names, module)
	}
	slices.Sort(names)
	for _, module := range names {
		b.WriteString(module + "\n")
		slices.Sort(modules[module])
		for _, pkg := range modules[module] {
			b.WriteString("\t" + pkg + "\n")
		}
		for _, banned := range []string{"prometheus", "zipkin", "stdout", "autoexport"} {
			assert.NotContains(t, module, banned)
		}
	}
	file := filepath.Join("testdata", "deps.txt")
	if *update {
		assert.NoError(t, os.MkdirAll("testdata", 0o755))
		assert.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
		return
	}
	golden, err := os.ReadFile(file)
	assert.NoError(t, err)
	want := strings.Split(strings.ReplaceAll(string(golden), "\r\n", "\n"), "\n")
	for line := range strings.SplitSeq(b.String(), "\n") {
		if !slices.Contains(want, line) {
			t.Errorf("new dependency %q; if it is wanted, run: go test . -run TestGoldenDependencies -update", line)
		}
	}
	assert.Equal(t, len(want), strings.Count(b.String(), "\n")+1, "a dependency is gone; run: go test . -run TestGoldenDependencies -update\n")
}

// TestSignatures: no exported declaration mentions a type of a v0 module other
// than the SDK's own.
func TestSignatures(t *testing.T) {
	t.Parallel()
	version := map[string]string{}
	for _, line := range goList(t, "-deps", "-f", "{{with .Module}}{{.Version}}{{end}} {{.ImportPath}}", ".") {
		v, pkg, _ := strings.Cut(line, " ")
		version[pkg] = v
	}
	files, err := filepath.Glob("*.go")
	assert.NoError(t, err)
	seen := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		assert.NoError(t, err)
		imports := map[string]string{}
		for _, spec := range file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			local := filepath.Base(path)
			if spec.Name != nil {
				local = spec.Name.Name
			}
			imports[local] = path
		}
		ast.FileExports(file) // drops what is not exported, and unexported fields
		ast.Inspect(file, func(n ast.Node) bool {
			if _, ok := n.(*ast.BlockStmt); ok {
				return false
			}
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if local, ok := sel.X.(*ast.Ident); ok && imports[local.Name] != "" {
					seen++
					path := imports[local.Name]
					if strings.HasPrefix(version[path], "v0.") && !strings.HasPrefix(path, "github.com/grpcx-go/sdk/") {
						t.Errorf("%s mentions %s.%s of %s, which promises no compatibility", name, path, sel.Sel.Name, version[path])
					}
				}
			}
			return true
		})
	}
	assert.True(t, seen > 3, "the walk saw types of other packages")
}
