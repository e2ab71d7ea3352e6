package release

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Verify builds every module as users will get it, without the checkout, and
// compares its API with that of the release before. It returns the changes.
func (p *Plan) Verify(ctx context.Context) ([]Change, error) {
	dir, err := os.MkdirTemp("", "release")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	proxy := filepath.Join(dir, "proxy")
	if err := WriteProxy(ctx, proxy, slices.Concat(p.base, p.Archives)...); err != nil {
		return nil, err
	}
	root, err := p.root()
	if err != nil {
		return nil, err
	}
	box, err := NewSandbox(ctx, dir, proxy, root.Path)
	if err != nil {
		return nil, err
	}
	dirs := map[string]string{}
	for _, a := range p.Archives {
		src, err := a.Unpack(dir)
		if err != nil {
			return nil, err
		}
		dirs[a.Path] = src
		if _, err := box.Go(ctx, src, "build", "-mod=readonly", "-o", os.DevNull, "./..."); err != nil {
			return nil, fmt.Errorf("%s does not build as it would be released: %w", a.Path, err)
		}
	}
	changes, err := p.compare(ctx, box, dirs)
	if err != nil {
		return nil, err
	}
	return changes, checkAPI(p.Version, p.Step, changes)
}

// compare returns the changes since the release before to the modules that lie
// in dirs by their paths.
func (p *Plan) compare(ctx context.Context, box *Sandbox, dirs map[string]string) ([]Change, error) {
	if p.Base == "" {
		return nil, nil
	}
	var changes []Change
	was := map[string]bool{}
	for _, a := range p.base {
		was[a.Path] = true
		after, ok := dirs[a.Path]
		if !ok {
			changes = append(changes, Change{a.Path, "module removed", false})
			continue
		}
		before, err := a.Unpack(box.Dir)
		if err != nil {
			return nil, err
		}
		c, err := apiChanges(ctx, a.Path, before, after, box.Env("GOOS=linux", "GOARCH=amd64", "GOPACKAGESDRIVER=off"))
		if err != nil {
			return nil, fmt.Errorf("comparing the API of %s with %s: %w", a.Path, p.Base, err)
		}
		changes = append(changes, c...)
	}
	for _, path := range slices.Sorted(maps.Keys(dirs)) {
		if !was[path] {
			changes = append(changes, Change{path, "module added", true})
		}
	}
	return changes, nil
}
