package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// BOM writes bills of materials into dir: of every archive what it requires,
// and of every command among them what a binary for linux/amd64 holds. They are
// CycloneDX 1.6 in JSON (https://cyclonedx.org/docs/1.6/json/), made by the
// program cyclonedx-gomod, the same every time. It returns their file names.
//
// They name no licences: the program takes those of golang.org/x for others.
func BOM(ctx context.Context, cyclonedx, dir string, archives []*Archive) ([]string, error) {
	tmp, err := os.MkdirTemp("", "release")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	proxy := filepath.Join(tmp, "proxy")
	if err := WriteProxy(ctx, proxy, archives...); err != nil {
		return nil, err
	}
	box, err := NewSandbox(ctx, tmp, proxy, archives[0].Path)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // not secret
		return nil, err
	}
	b := &billing{box, cyclonedx, dir, nil}
	for _, a := range archives {
		if err := b.add(ctx, a); err != nil {
			return b.files, fmt.Errorf("bill of materials of %s: %w", a.Version, err)
		}
	}
	return b.files, nil
}

type billing struct {
	box       *Sandbox
	cyclonedx string
	dir       string
	files     []string
}

func (b *billing) add(ctx context.Context, a *Archive) error {
	src, err := a.Unpack(b.box.Dir)
	if err != nil {
		return err
	}
	// The program asks go mod why for each module, and leaves out those that it
	// reaches through a test, also when there is another way.
	if err := removeTests(src); err != nil {
		return err
	}
	// The program reads the version of a module from the tags of a repository.
	repo := &Repo{src, []string{
		"GIT_AUTHOR_NAME=release", "GIT_AUTHOR_EMAIL=release@localhost",
		"GIT_COMMITTER_NAME=release", "GIT_COMMITTER_EMAIL=release@localhost",
	}}
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"-c", "core.autocrlf=false", "add", "--all", "--force"},
		{"-c", "commit.gpgsign=false", "commit", "--quiet", "--no-verify", "--message=" + a.Version.Version},
		{"-c", "tag.gpgsign=false", "tag", a.Version.Version},
	} {
		if _, err := repo.git(ctx, nil, args...); err != nil {
			return err
		}
	}
	if err := b.run(ctx, fileName(a, ""), "mod", src, "-type", "library"); err != nil {
		return err
	}
	main, err := b.box.Go(ctx, src, "list", "-find", "-e", "-f", "{{.Name}}", ".")
	if err != nil || strings.TrimSpace(main) != "main" {
		return err
	}
	binary, err := b.box.Install(ctx, a.String(), bomPlatform)
	if err != nil {
		return err
	}
	return b.run(ctx, fileName(a, "_linux_amd64"), "bin", binary)
}

func removeTests(dir string) error {
	var tests []string
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(name, "_test.go") {
			tests = append(tests, name)
		}
		return err
	})
	for _, name := range tests {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// bomPlatform is that of the binaries whose content is listed.
const bomPlatform = "linux/amd64"

func fileName(a *Archive, of string) string {
	return strings.ReplaceAll(a.Path, "/", "_") + "@" + a.Version.Version + of + ".cdx.json"
}

func (b *billing) run(ctx context.Context, name, kind, of string, flags ...string) error {
	name = filepath.Join(b.dir, name)
	args := append([]string{kind, "-json", "-std", "-noserial", "-notimestamp", "-output", name}, flags...)
	cmd := exec.CommandContext(ctx, b.cyclonedx, append(args, of)...) //nolint:gosec // the program that the caller named
	cmd.Dir = b.box.Dir
	cmd.Env = b.box.Env("GOOS=linux", "GOARCH=amd64")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("%w; make sbom builds it", err)
		}
		return fmt.Errorf("%s %s: %w\n%s", b.cyclonedx, kind, err, out.String())
	}
	b.files = append(b.files, name)
	return nil
}
