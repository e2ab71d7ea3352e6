package licences

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// platforms are those whose files are looked at; a module may be compiled on
// one of them only.
var platforms = []string{"darwin", "linux", "windows"}

// Scan returns what the packages of modules, given by their directories below
// root, compile into a program on any platform, sorted by module path. Their own
// packages, and those of a module that is replaced by a directory, are left out.
func Scan(ctx context.Context, root string, dirs []string) ([]Use, error) {
	seen := map[string]*Use{}
	for _, dir := range dirs {
		packages, err := list(ctx, filepath.Join(root, filepath.FromSlash(dir)))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		for m, dirs := range packages {
			found, notice, err := Find(m.dir, slices.Collect(maps.Keys(dirs)))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.path, err)
			}
			use := seen[m.path]
			if use == nil {
				use = &Use{Module: m.path}
				seen[m.path] = use
			}
			use.By = append(use.By, dir)
			use.Notice = use.Notice || notice
			use.Licences = union(use.Licences, found)
		}
	}
	var uses []Use
	for _, path := range slices.Sorted(maps.Keys(seen)) {
		slices.Sort(seen[path].By)
		uses = append(uses, *seen[path])
	}
	return uses, nil
}

func union(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(append(a, b...))))
}

// module is one in the module cache.
type module struct{ path, dir string }

// list returns the modules that the packages of the module in dir compile, and
// the directories of the packages that they are needed for.
func list(ctx context.Context, dir string) (map[module]map[string]bool, error) {
	packages := map[module]map[string]bool{}
	for _, goos := range platforms {
		cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-json=Dir,Module", "./...")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=0", "GOWORK=off")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list: %w\n%s", err, stderr.String())
		}
		if err := decode(out, packages); err != nil {
			return nil, err
		}
	}
	return packages, nil
}

func decode(out []byte, packages map[module]map[string]bool) error {
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Dir    string
			Module *struct {
				Path, Dir string
				Main      bool
				Replace   *struct{ Version string }
			}
		}
		switch err := dec.Decode(&p); { //nolint:musttag // the names are those of the go command
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		// A package of the standard library has no module.
		if p.Module == nil || p.Module.Main || p.Module.Replace != nil && p.Module.Replace.Version == "" {
			continue
		}
		m := module{p.Module.Path, p.Module.Dir}
		if packages[m] == nil {
			packages[m] = map[string]bool{}
		}
		packages[m][p.Dir] = true
	}
}

// Render returns the list as a Markdown table.
func Render(uses []Use) string {
	var out strings.Builder
	fmt.Fprint(&out, "| module | licence | compiled into |\n| --- | --- | --- |\n")
	for _, u := range uses {
		licence := strings.Join(u.Licences, ", ")
		if u.Notice {
			licence += ", with a NOTICE"
		}
		by := make([]string, len(u.By))
		for i, dir := range u.By {
			by[i] = "`" + dir + "`"
			if dir == "." {
				by[i] = "the SDK"
			}
		}
		fmt.Fprintf(&out, "| [%s](https://pkg.go.dev/%[1]s?tab=licenses) | %s | %s |\n", u.Module, licence, strings.Join(by, ", "))
	}
	return out.String()
}
