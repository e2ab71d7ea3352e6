package release

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// Sums are the two hashes that go.sum holds of a module.
type Sums struct{ Zip, Mod string }

// pin rewrites go.mod and go.sum of a module for its release: what it requires
// of this repository has the version and the hashes of the release, and nothing
// is replaced.
func (m *Module) pin(t *Tree, version string, sums map[string]Sums, kept func(string) bool) error {
	name := m.in("go.mod")
	file := m.file
	for _, r := range slices.Clone(file.Replace) {
		if _, ours := sums[r.Old.Path]; !ours && !kept(r.Old.Path) {
			return fmt.Errorf("%s replaces %s: users of the module would not get the replacement, and go install refuses the module; require what it needs", name, r.Old.Path)
		}
		if err := file.DropReplace(r.Old.Path, r.Old.Version); err != nil {
			return err
		}
	}
	if len(file.Exclude) > 0 {
		return fmt.Errorf("%s excludes %s: go install refuses a module that does; require what it needs", name, file.Exclude[0].Mod.Path)
	}
	var lines []string
	for _, r := range slices.Clone(file.Require) {
		s, ours := sums[r.Mod.Path]
		switch {
		case kept(r.Mod.Path):
			return fmt.Errorf("%s requires %s, which is not released", name, r.Mod.Path)
		case !ours:
			continue
		}
		if err := file.AddRequire(r.Mod.Path, version); err != nil {
			return err
		}
		lines = append(lines,
			fmt.Sprintf("%s %s %s", r.Mod.Path, version, s.Zip),
			fmt.Sprintf("%s %s/go.mod %s", r.Mod.Path, version, s.Mod))
	}
	if len(lines) == 0 {
		return nil
	}
	file.Cleanup()
	data, err := file.Format()
	if err != nil {
		return err
	}
	t.change(name, data)
	name = m.in("go.sum")
	if data, err = t.Read(name); err != nil {
		return fmt.Errorf("%w; run go mod tidy in %s", err, m.Dir)
	}
	if data, err = addSums(data, lines); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	t.change(name, data)
	return nil
}

// addSums adds lines to a go.sum, in the order of the go command.
func addSums(goSum []byte, lines []string) ([]byte, error) {
	for line := range strings.Lines(string(goSum)) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	hashes := map[module.Version]string{}
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return nil, fmt.Errorf("%q is no line of a go.sum", line)
		}
		mod := module.Version{Path: fields[0], Version: fields[1]}
		if old, ok := hashes[mod]; ok && old != fields[2] {
			return nil, fmt.Errorf("%s has two hashes", mod)
		}
		hashes[mod] = fields[2]
	}
	mods := make([]module.Version, 0, len(hashes))
	for mod := range hashes {
		mods = append(mods, mod)
	}
	module.Sort(mods)
	var out bytes.Buffer
	for _, mod := range mods {
		fmt.Fprintln(&out, mod.Path, mod.Version, hashes[mod])
	}
	return out.Bytes(), nil
}
