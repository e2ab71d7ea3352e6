package release

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// ModulesFile lists every module of the repository, one a line: its directory,
// and either the word release or keep and why it is not released.
const ModulesFile = "internal/release/modules.txt"

// Module is a module that is released.
type Module struct {
	// Dir is the directory in the repository, "." for the root.
	Dir string
	// Path is the module path that its go.mod names.
	Path string
	// file is its go.mod.
	file *modfile.File
}

// Tag returns the name of the tag of a version
// (https://go.dev/ref/mod#vcs-version).
func (m *Module) Tag(version string) string { return path.Join(m.Dir, version) }

func (m *Module) in(name string) string { return path.Join(m.Dir, name) }

// Modules returns the released modules of a tree, each after those that it
// requires. A module that the list does not name is an error, and so is one
// that is listed and not there.
func Modules(t *Tree) ([]*Module, error) {
	data, err := t.Read(ModulesFile)
	if err != nil {
		return nil, err
	}
	list, err := ParseList(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ModulesFile, err)
	}
	var dirs []string
	for _, name := range t.Paths() {
		if path.Base(name) == "go.mod" {
			dirs = append(dirs, path.Dir(name))
		}
	}
	if err := list.Check(dirs); err != nil {
		return nil, fmt.Errorf("%s: %w", ModulesFile, err)
	}
	var modules []*Module
	for _, dir := range list.Released() {
		m := &Module{Dir: dir}
		data, err := t.Read(m.in("go.mod"))
		if err != nil {
			return nil, err
		}
		if m.file, err = modfile.Parse(m.in("go.mod"), data, nil); err != nil {
			return nil, err
		}
		if m.file.Module == nil {
			return nil, fmt.Errorf("%s: no module line", m.in("go.mod"))
		}
		m.Path = m.file.Module.Mod.Path
		modules = append(modules, m)
	}
	return sortModules(modules)
}

// sortModules puts every module after those that it requires.
func sortModules(modules []*Module) ([]*Module, error) {
	var sorted []*Module
	for len(sorted) < len(modules) {
		next := slices.IndexFunc(modules, func(m *Module) bool {
			return !slices.Contains(sorted, m) && !slices.ContainsFunc(modules, func(other *Module) bool {
				return !slices.Contains(sorted, other) && m.requires(other.Path)
			})
		})
		if next < 0 {
			return nil, errors.New("modules require each other in a circle; a release cannot hash them")
		}
		sorted = append(sorted, modules[next])
	}
	return sorted, nil
}

func (m *Module) requires(modulePath string) bool {
	return slices.ContainsFunc(m.file.Require, func(r *modfile.Require) bool { return r.Mod.Path == modulePath })
}

// List is what ModulesFile says: directories, and whether they are released.
type List map[string]bool

// ParseList reads the list of modules.
func ParseList(data []byte) (List, error) {
	list := List{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		dir := fields[0]
		switch _, twice := list[dir]; {
		case twice:
			return nil, fmt.Errorf("line %d: %s is listed twice", n, dir)
		case dir != path.Clean(dir) || path.IsAbs(dir) || strings.HasPrefix(dir, ".."):
			return nil, fmt.Errorf("line %d: %s: want a clean path inside the repository, such as cmd/grpcx", n, dir)
		case len(fields) == 2 && fields[1] == "release":
			list[dir] = true
		case len(fields) > 2 && fields[1] == "keep":
			list[dir] = false
		default:
			return nil, fmt.Errorf(`line %d: want "%s release" or "%s keep" and why`, n, dir, dir)
		}
	}
	return list, lines.Err()
}

// Check compares the list with the directories that hold a go.mod.
func (l List) Check(dirs []string) error {
	var errs []error
	for _, dir := range dirs {
		if _, ok := l[dir]; !ok {
			errs = append(errs, fmt.Errorf("%s has a go.mod and is not listed; add it as release or keep", dir))
		}
	}
	for dir := range l {
		if !slices.Contains(dirs, dir) {
			errs = append(errs, fmt.Errorf("%s is listed and has no go.mod; remove the line", dir))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// Released returns the directories of the released modules, sorted.
func (l List) Released() []string {
	var dirs []string
	for dir, released := range l {
		if released {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	return dirs
}
