package sdk_test

import (
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

var update = flag.Bool("update", false, "rewrite the golden files of dependencies")

const goldenDir = "testdata/deps"

// TestGoldenDependencies pins what each public package compiles into its
// users' programs. An addition has to be wanted: it shows up in review as a
// line of a golden file.
func TestGoldenDependencies(t *testing.T) {
	t.Parallel()
	want := map[string]bool{}
	for _, pkg := range publicPackages(t) {
		name := strings.ReplaceAll(pkg.rel(), "/", "_") + ".txt"
		want[name] = true
		t.Run(pkg.rel(), func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(goldenDir, name)
			got := render(pkg)
			if *update {
				assert.NoError(t, os.MkdirAll(goldenDir, 0o755))
				assert.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				return
			}
			golden, err := os.ReadFile(file)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			// A checkout on Windows may have turned the line ends.
			if diff := diffLines(strings.ReplaceAll(string(golden), "\r\n", "\n"), got); diff != "" {
				t.Errorf("the dependencies of %s are not those in %s.\n%s"+
					"If every line is wanted, run: go test . -run TestGoldenDependencies -update", pkg.ImportPath, file, diff)
			}
		})
	}

	files, err := filepath.Glob(filepath.Join(goldenDir, "*.txt"))
	assert.NoError(t, err)
	for _, file := range files {
		switch {
		case want[filepath.Base(file)]:
		case *update:
			assert.NoError(t, os.Remove(file))
		default:
			t.Errorf("%s belongs to no package: remove it", file)
		}
	}
}

// TestDirection holds the rules between packages that a golden file could be
// updated to break.
func TestDirection(t *testing.T) {
	t.Parallel()
	leaves := []string{"runtimex", "tlsx", "healthx"}
	for _, pkg := range publicPackages(t) {
		for _, dep := range pkg.dependencies() {
			if reason := forbidden(pkg.rel(), leaves, dep); reason != "" {
				t.Errorf("%s depends on %s: %s", pkg.ImportPath, dep.ImportPath, reason)
			}
		}
	}
}

// TestDirectionRules shows that each rule can be broken.
func TestDirectionRules(t *testing.T) {
	t.Parallel()
	leaves := []string{"runtimex", "tlsx", "healthx"}
	own := func(rel string) *goPackage {
		return &goPackage{ImportPath: path.Join(root, rel), Module: &goModule{Path: root}}
	}
	foreign := func(module string) *goPackage {
		return &goPackage{ImportPath: module + "/p", Module: &goModule{Path: module}}
	}
	tests := []struct {
		from string
		dep  *goPackage
		bad  bool
	}{
		{"tlsx", own("healthx"), true},
		{"tlsx/devcert", own("runtimex"), true},
		{"healthx", own("grpcx"), true},
		{"healthx", own("grpcx/grpcxtest"), true},
		{"runtimex", own("internal/assert"), true},
		{"runtimex", &goPackage{ImportPath: "testing", Standard: true}, true},
		{"grpcx", foreign(root + "/examples"), true},
		{"grpcx", foreign(root + "/otlpx"), true},
		{"grpcx", foreign("go.opentelemetry.io/otel/sdk"), true},
		{"grpcx", foreign("go.opentelemetry.io/otel/exporters/prometheus"), true},
		{"grpcx", foreign("go.opentelemetry.io/contrib/x"), true},
		{"tlsx", foreign("google.golang.org/grpc"), true},
		{"tlsx", foreign("go.opentelemetry.io/otel"), true},
		{"runtimex", foreign("google.golang.org/grpc"), true},
		{"healthx", foreign("github.com/fsnotify/fsnotify"), true},

		{"tlsx/devcert", own("tlsx"), false},
		{"tlsx", own("tlsx/internal/x"), false},
		{"grpcx", own("tlsx"), false},
		{"grpcx", foreign("go.opentelemetry.io/otel"), false},
		{"grpcx/grpcxtest", &goPackage{ImportPath: "testing", Standard: true}, false},
		{"grpcx/grpcxtest", own("grpcx"), false},
		{"healthx", foreign("google.golang.org/grpc"), false},
		{"healthx", foreign("google.golang.org/protobuf"), false},
		{"tlsx", foreign("github.com/fsnotify/fsnotify"), false},
		{"runtimex", foreign("go.uber.org/automaxprocs"), false},
		{"runtimex", &goPackage{ImportPath: "os", Standard: true}, false},
	}
	for _, tt := range tests {
		reason := forbidden(tt.from, leaves, tt.dep)
		assert.Equal(t, reason != "", tt.bad, fmt.Sprintf("%s -> %s: %q", tt.from, tt.dep.ImportPath, reason))
	}
}

// leafModules are the modules, besides this one, that each leaf may compile.
// What grpc needs comes with it.
var leafModules = map[string][]string{
	"runtimex": {"go.uber.org/automaxprocs", "github.com/fsnotify/fsnotify", "golang.org/x/sys"},
	"tlsx":     {"github.com/fsnotify/fsnotify", "golang.org/x/crypto", "golang.org/x/sys"},
	"healthx": {
		"google.golang.org/grpc", "google.golang.org/protobuf", "google.golang.org/genproto/googleapis/rpc",
		"golang.org/x/net", "golang.org/x/sys", "golang.org/x/text",
	},
}

// forbidden says why the package from must not depend on dep, or "".
func forbidden(from string, leaves []string, dep *goPackage) string {
	if dep.Standard {
		if dep.ImportPath == "testing" && from != "grpcx/grpcxtest" {
			return "only grpcx/grpcxtest is for tests"
		}
		return ""
	}
	leaf, _, _ := strings.Cut(from, "/")
	isLeaf := slices.Contains(leaves, leaf)
	module := dep.Module.Path
	if module == root {
		target, _, _ := strings.Cut(dep.rel(), "/")
		switch {
		case isLeaf && target != leaf && (target == "grpcx" || slices.Contains(leaves, target)):
			return "a leaf imports neither another leaf nor grpcx"
		case slices.Contains([]string{"internal/assert", "internal/certtest", "internal/cgrouptest", "internal/leak", "internal/vmtest"}, dep.rel()):
			return "it is for tests of this module only"
		}
		return ""
	}
	for prefix, reason := range map[string]string{
		root:                                 "the root module imports none of its nested modules",
		"go.opentelemetry.io/otel/sdk":       "the choice of an SDK is the user's",
		"go.opentelemetry.io/otel/exporters": "the choice of an exporter is the user's",
		"go.opentelemetry.io/contrib":        "instrumentation is our own",
	} {
		if module == prefix || strings.HasPrefix(module, prefix+"/") {
			return reason
		}
	}
	if isLeaf && !slices.Contains(leafModules[leaf], module) {
		return leaf + " may only use the standard library and " + strings.Join(leafModules[leaf], ", ")
	}
	return ""
}
