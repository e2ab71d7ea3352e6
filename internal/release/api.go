package release

import (
	"context"
	"errors"
	"fmt"
	"go/types"
	"strings"

	"golang.org/x/exp/apidiff"
	"golang.org/x/tools/go/packages"
)

// Change is a difference between the exported API of two versions of a module.
type Change struct {
	Module     string
	Message    string
	Compatible bool
}

func (c Change) String() string {
	kind := "incompatible"
	if c.Compatible {
		kind = "compatible"
	}
	return fmt.Sprintf("  %s: %s (%s)", c.Module, c.Message, kind)
}

// apiChanges compares the packages that users can import, as they are on Linux,
// of a module in two directories.
func apiChanges(ctx context.Context, modulePath, before, after string, env []string) ([]Change, error) {
	was, err := loadAPI(ctx, modulePath, before, env)
	if err != nil {
		return nil, err
	}
	is, err := loadAPI(ctx, modulePath, after, env)
	if err != nil {
		return nil, err
	}
	var changes []Change
	for _, c := range apidiff.ModuleChanges(was, is).Changes {
		changes = append(changes, Change{modulePath, c.Message, c.Compatible})
	}
	return changes, nil
}

func loadAPI(ctx context.Context, modulePath, dir string, env []string) (*apidiff.Module, error) {
	loaded, err := packages.Load(&packages.Config{
		Context: ctx,
		Mode:    packages.NeedName | packages.NeedTypes | packages.NeedImports | packages.NeedTypesSizes,
		Dir:     dir,
		Env:     env,
	}, "./...")
	if err != nil {
		return nil, err
	}
	var api []*types.Package
	for _, p := range loaded {
		for _, e := range p.Errors {
			err = errors.Join(err, e)
		}
		if p.Name != "main" && !internal(p.PkgPath) {
			api = append(api, p.Types)
		}
	}
	return &apidiff.Module{Path: modulePath, Packages: api}, err
}

func internal(importPath string) bool {
	return strings.Contains("/"+importPath+"/", "/internal/")
}
