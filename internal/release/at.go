package release

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/mod/module"
)

// Head returns the modules of HEAD as a release would make them, with the
// pseudo-version of the commit (https://go.dev/ref/mod#pseudo-versions). What
// is not committed is not in them.
func (r *Repo) Head(ctx context.Context) ([]*Archive, error) {
	commit, err := r.Resolve(ctx, "HEAD")
	if err != nil {
		return nil, err
	}
	tags, err := r.Tags(ctx)
	if err != nil {
		return nil, err
	}
	at, err := r.Time(ctx, commit)
	if err != nil {
		return nil, err
	}
	tree, err := r.Tree(ctx, commit)
	if err != nil {
		return nil, err
	}
	modules, err := Modules(tree)
	if err != nil {
		return nil, err
	}
	return pinAll(tree, modules, module.PseudoVersion("", latest(tags), at, commit[:12]), at)
}

// Tagged returns the modules of a release that was made.
func (r *Repo) Tagged(ctx context.Context, version string) ([]*Archive, error) {
	tags, err := r.Tags(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(tags, version) {
		return nil, fmt.Errorf("there is no tag %s; fetch the tags, or name a release: the newest is %q", version, latest(tags))
	}
	tree, err := r.Tree(ctx, "refs/tags/"+version)
	if err != nil {
		return nil, err
	}
	modules, err := Modules(tree)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", version, err)
	}
	at, err := r.Time(ctx, "refs/tags/"+version)
	if err != nil {
		return nil, err
	}
	var archives []*Archive
	for _, m := range modules {
		if !slices.Contains(tags, m.Tag(version)) {
			continue
		}
		a, err := m.archive(tree, version, at)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Tag(version), err)
		}
		archives = append(archives, a)
	}
	return archives, nil
}

// Released returns the directories of the modules that HEAD releases.
func (r *Repo) Released(ctx context.Context) ([]string, error) {
	tree, err := r.Tree(ctx, "HEAD")
	if err != nil {
		return nil, err
	}
	modules, err := Modules(tree)
	dirs := make([]string, len(modules))
	for i, m := range modules {
		dirs[i] = m.Dir
	}
	return dirs, err
}
