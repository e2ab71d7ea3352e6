package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
)

// Plan is a release that was prepared and checked, and not made yet.
type Plan struct {
	Version string
	// Base is the release before it, empty for the first.
	Base   string
	Step   Step
	Commit string
	// Notes are the entries of the changelog.
	Notes    string
	Modules  []*Module
	Archives []*Archive

	repo *Repo
	tree *Tree
	base []*Archive
}

// Prepare checks that HEAD can be released as version, and makes the modules
// of the release in memory. The repository is only read.
func (r *Repo) Prepare(ctx context.Context, version string, now time.Time) (*Plan, error) {
	p := &Plan{Version: version, repo: r}
	if err := r.Clean(ctx); err != nil {
		return nil, err
	}
	var err error
	if p.Commit, err = r.Resolve(ctx, "HEAD"); err != nil {
		return nil, err
	}
	if p.tree, err = r.Tree(ctx, p.Commit); err != nil {
		return nil, err
	}
	if p.Modules, err = Modules(p.tree); err != nil {
		return nil, err
	}
	root, err := p.root()
	if err != nil {
		return nil, err
	}
	tags, err := r.Tags(ctx)
	if err != nil {
		return nil, err
	}
	if p.Base, p.Step, err = CheckVersion(version, root.Path, tags); err != nil {
		return nil, err
	}
	for _, m := range p.Modules {
		if tag := m.Tag(version); slices.Contains(tags, tag) {
			return nil, fmt.Errorf("tag %s exists, and %s does not: a release was interrupted; if nothing was pushed, delete the tag", tag, version)
		}
	}
	log, err := p.tree.Read(ChangelogFile)
	if err != nil {
		return nil, err
	}
	if p.Notes, err = ParseChangelog(log).Check("https://"+root.Path, p.Base, version, now); err != nil {
		return nil, err
	}
	at, err := r.Time(ctx, p.Commit)
	if err != nil {
		return nil, err
	}
	if p.Archives, err = pinAll(p.tree, p.Modules, version, at); err != nil {
		return nil, err
	}
	if p.Base != "" {
		p.base, err = r.Tagged(ctx, p.Base)
	}
	return p, err
}

// root returns the module of the repository's root, which the others follow.
func (p *Plan) root() (*Module, error) {
	i := slices.IndexFunc(p.Modules, func(m *Module) bool { return m.Dir == "." })
	if i < 0 {
		return nil, fmt.Errorf("%s: the module of the root (\".\") is not released", ModulesFile)
	}
	return p.Modules[i], nil
}

// pinAll rewrites the go.mod files of a tree for a release and archives its
// modules, each after those whose hashes it needs.
func pinAll(t *Tree, modules []*Module, version string, at time.Time) ([]*Archive, error) {
	kept, err := keptModules(t, modules)
	if err != nil {
		return nil, err
	}
	sums := map[string]Sums{}
	var archives []*Archive
	for _, m := range modules {
		if err := m.pin(t, version, sums, kept); err != nil {
			return nil, err
		}
		a, err := m.archive(t, version, at)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Path, err)
		}
		sums[m.Path] = a.Sums
		archives = append(archives, a)
	}
	return archives, nil
}

// keptModules tells which module paths belong to the repository and are not
// released.
func keptModules(t *Tree, released []*Module) (func(string) bool, error) {
	kept := map[string]bool{}
	for _, name := range t.Paths() {
		if name == "go.mod" || strings.HasSuffix(name, "/go.mod") {
			data, err := t.Read(name)
			if err != nil {
				return nil, err
			}
			kept[modfile.ModulePath(data)] = true
		}
	}
	for _, m := range released {
		delete(kept, m.Path)
	}
	return func(p string) bool { return kept[p] }, nil
}
