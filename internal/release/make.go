package release

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Tags returns the tags of the release, the root's first.
func (p *Plan) Tags() []string {
	modules := slices.SortedFunc(slices.Values(p.Modules), func(a, b *Module) int { return strings.Compare(a.Dir, b.Dir) })
	tags := make([]string, len(modules))
	for i, m := range modules {
		tags[i] = m.Tag(p.Version)
	}
	return tags
}

// Dir is the directory of the repository.
func (p *Plan) Dir() string { return p.repo.Dir }

// Make commits the release and tags it. The commit is on no branch; the work
// tree, the index and HEAD stay as they are. Nothing is pushed.
func (p *Plan) Make(ctx context.Context, sign bool) (commit string, err error) {
	if commit, err = p.commit(ctx); err != nil {
		return "", err
	}
	kind := "--annotate"
	if sign {
		kind = "--sign"
	}
	message := fmt.Sprintf("%s\n\n%s\n", p.Version, p.Notes)
	var made []string
	for _, tag := range p.Tags() {
		// Headings of the changelog are no comments.
		if _, err = p.repo.git(ctx, []byte(message), "tag", kind, "--cleanup=verbatim", "--file=-", tag, commit); err != nil {
			break
		}
		made = append(made, tag)
	}
	if err == nil {
		err = p.confirm(ctx)
	}
	if err != nil && len(made) > 0 {
		// Even after an interrupt: half a release would block the next attempt.
		_, undo := p.repo.git(context.WithoutCancel(ctx), nil, append([]string{"tag", "--delete"}, made...)...)
		err = errors.Join(err, undo)
	}
	return commit, err
}

// commit stores the changed files on top of the commit that is released.
func (p *Plan) commit(ctx context.Context) (string, error) {
	if len(p.tree.changed) == 0 {
		return p.Commit, nil
	}
	dir, err := os.MkdirTemp("", "release")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	repo := &Repo{p.repo.Dir, append(slices.Clone(p.repo.Env), "GIT_INDEX_FILE="+filepath.Join(dir, "index"))}
	if _, err := repo.git(ctx, nil, "read-tree", p.Commit); err != nil {
		return "", err
	}
	for _, name := range slices.Sorted(maps.Keys(p.tree.changed)) {
		blob, err := repo.git(ctx, p.tree.changed[name], "hash-object", "-w", "--stdin")
		if err != nil {
			return "", err
		}
		if _, err := repo.git(ctx, nil, "update-index", "--cacheinfo", "100644,"+blob+","+name); err != nil {
			return "", err
		}
	}
	tree, err := repo.git(ctx, nil, "write-tree")
	if err != nil {
		return "", err
	}
	message := fmt.Sprintf("Release %s\n\nThe modules require each other at %[1]s and replace nothing.\n", p.Version)
	return repo.git(ctx, []byte(message), "commit-tree", tree, "-p", p.Commit)
}

// confirm compares what the tags hold with what was verified.
func (p *Plan) confirm(ctx context.Context) error {
	for i, m := range p.Modules {
		tree, err := p.repo.Tree(ctx, "refs/tags/"+m.Tag(p.Version))
		if err != nil {
			return err
		}
		a, err := m.archive(tree, p.Version, p.Archives[i].Time)
		if err != nil {
			return err
		}
		if a.Sums != p.Archives[i].Sums {
			return fmt.Errorf("tag %s does not hold the module that was verified", m.Tag(p.Version))
		}
	}
	return nil
}
