package sdk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

const root = "github.com/grpcx-go/sdk"

// goPackage is what these tests read of `go list -json`.
type goPackage struct {
	ImportPath string
	Export     string
	Standard   bool
	Deps       []string
	Module     *goModule

	all map[string]*goPackage
}

type goModule struct{ Path, Version string }

// rel is the path inside the root module, "sdk" for the root package.
func (p *goPackage) rel() string {
	if p.ImportPath == root {
		return "sdk"
	}
	return strings.TrimPrefix(p.ImportPath, root+"/")
}

// dependencies returns the packages that p compiles, directly or not.
func (p *goPackage) dependencies() []*goPackage {
	deps := make([]*goPackage, 0, len(p.Deps))
	for _, path := range p.Deps {
		// "C" and "unsafe" have no package to describe.
		if dep := p.all[path]; dep != nil {
			deps = append(deps, dep)
		}
	}
	return deps
}

// listAll describes every package of the module and all they depend on, as
// compiled for linux/amd64 wherever the tests run, without test files. It
// compiles them, so that Export names files with their types.
var listAll = sync.OnceValues(func() (map[string]*goPackage, error) {
	cmd := exec.Command("go", "list", "-deps", "-export", "-json=ImportPath,Export,Standard,Deps,Module", "./...")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.New("go list: " + err.Error() + "\n" + stderr.String())
	}
	all := map[string]*goPackage{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := &goPackage{all: all}
		if err := dec.Decode(p); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all[p.ImportPath] = p
	}
})

// publicPackages returns the packages of the root module that users can
// import, sorted by path.
func publicPackages(t *testing.T) []*goPackage {
	t.Helper()
	all, err := listAll()
	assert.NoError(t, err)
	var public []*goPackage
	for path, p := range all {
		if p.Module != nil && p.Module.Path == root && !slices.Contains(strings.Split(path, "/"), "internal") {
			public = append(public, p)
		}
	}
	slices.SortFunc(public, func(a, b *goPackage) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	assert.True(t, len(public) > 1, "go list found no public package")
	return public
}

// render lists the dependencies of p outside the standard library, by module.
// Versions are left out: go.mod has them.
func render(p *goPackage) string {
	modules := map[string][]string{}
	for _, dep := range p.dependencies() {
		if dep.Module != nil {
			pkg := strings.TrimPrefix(strings.TrimPrefix(dep.ImportPath, dep.Module.Path), "/")
			modules[dep.Module.Path] = append(modules[dep.Module.Path], pkg)
		}
	}
	var b strings.Builder
	b.WriteString("# " + p.ImportPath + "\n")
	paths := make([]string, 0, len(modules))
	for path := range modules {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		b.WriteString(path + "\n")
		slices.Sort(modules[path])
		for _, pkg := range modules[path] {
			if pkg == "" {
				pkg = "."
			}
			b.WriteString("\t" + pkg + "\n")
		}
	}
	return b.String()
}

// diffLines returns the lines that only one of two listings has, each package
// with its module, or "" when the two are equal.
func diffLines(want, got string) string {
	was, is := qualified(want), qualified(got)
	var b strings.Builder
	for _, line := range is {
		if !slices.Contains(was, line) {
			b.WriteString("+ " + line + "\n")
		}
	}
	for _, line := range was {
		if !slices.Contains(is, line) {
			b.WriteString("- " + line + "\n")
		}
	}
	if b.Len() == 0 && want != got {
		return "(the same lines in another order)\n"
	}
	return b.String()
}

func qualified(listing string) []string {
	var lines []string
	module := ""
	for line := range strings.Lines(listing) {
		line = strings.TrimSuffix(line, "\n")
		if pkg, ok := strings.CutPrefix(line, "\t"); ok {
			lines = append(lines, strings.TrimSuffix(module+"/"+pkg, "/."))
		} else if !strings.HasPrefix(line, "#") {
			module = line
			lines = append(lines, "module "+line)
		}
	}
	return lines
}
