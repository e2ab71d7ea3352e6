package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/grpcx-go/sdk/internal/release"
)

// changelog rewrites CHANGELOG.md in the work tree.
func (p *program) changelog(ctx context.Context, version string) error {
	tags, err := p.repo.Tags(ctx)
	if err != nil {
		return err
	}
	root, err := p.repo.Root()
	if err != nil {
		return err
	}
	base, _, err := release.CheckVersion(version, root, tags)
	if err != nil {
		return err
	}
	name := filepath.Join(p.repo.Dir, release.ChangelogFile)
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	log := release.ParseChangelog(data)
	if err := log.Cut("https://"+root, base, version, time.Now()); err != nil {
		return err
	}
	if err := os.WriteFile(name, log.Bytes(), 0o644); err != nil { //nolint:gosec // not secret
		return err
	}
	fmt.Fprintf(p.stdout, "%s has a section for %s; review and commit it\n", release.ChangelogFile, version)
	return nil
}

func (p *program) sbom(ctx context.Context, dir, version string) error {
	var archives []*release.Archive
	var err error
	if version == "" {
		archives, err = p.repo.Head(ctx)
	} else {
		archives, err = p.repo.Tagged(ctx, version)
	}
	if err != nil {
		return err
	}
	files, err := release.BOM(ctx, p.cyclonedx, dir, archives)
	for _, name := range files {
		fmt.Fprintln(p.stdout, name)
	}
	return err
}

func (p *program) modules(ctx context.Context) error {
	dirs, err := p.repo.Released(ctx)
	for _, dir := range dirs {
		fmt.Fprintln(p.stdout, dir)
	}
	return err
}

func (p *program) release(ctx context.Context, version string) error {
	plan, err := p.repo.Prepare(ctx, version, time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%s of commit %s: %s\n", version, plan.Commit, describe(plan))
	if err := p.test(ctx); err != nil {
		return err
	}
	fmt.Fprintln(p.stdout, "building the modules as users get them")
	changes, err := plan.Verify(ctx)
	if err != nil {
		return err
	}
	for _, c := range changes {
		fmt.Fprintln(p.stdout, c)
	}
	if err := p.publish(ctx, plan); err != nil {
		return err
	}
	tags := strings.Join(plan.Tags(), " ")
	if p.dryRun {
		fmt.Fprintln(p.stdout, "dry run: would tag", tags)
		return nil
	}
	commit, err := plan.Make(ctx, p.sign)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "tagged commit %s; nothing is pushed yet:\n\n  git push --atomic origin %s\n", commit, tags)
	return nil
}

func describe(plan *release.Plan) string {
	if plan.Base == "" {
		return "the first release, so there is no API to compare with"
	}
	return fmt.Sprintf("a %s release after %s", plan.Step, plan.Base)
}

// test runs the tests on the commit that is released.
func (p *program) test(ctx context.Context) error {
	if p.skipTests {
		return nil
	}
	cmd := exec.CommandContext(ctx, "make", "test")
	cmd.Dir = p.repo.Dir
	cmd.Stdout, cmd.Stderr = p.stdout, p.stdout
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make test: %w", err)
	}
	return p.repo.Clean(ctx)
}

// publish writes the proxy that was asked for.
func (p *program) publish(ctx context.Context, plan *release.Plan) error {
	if p.proxy == "" {
		return nil
	}
	if err := release.WriteProxy(ctx, p.proxy, plan.Archives...); err != nil {
		return err
	}
	dir, err := filepath.Abs(p.proxy)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "wrote a module proxy: GOPROXY=file://%s GONOSUMDB=%s\n", filepath.ToSlash(dir), plan.Modules[0].Path)
	return nil
}
