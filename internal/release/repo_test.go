package release_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/release"
)

// small is a repository with the shape of this one: a library in the root, a
// module beside it, a command that needs both, and modules that are not
// released.
var small = map[string]string{
	".gitignore": ".tmp/\n",
	"LICENSE":    "Copying is fine.\n",
	"CHANGELOG.md": `# Changelog

## [Unreleased]

### Added

- Everything.
`,
	"Makefile":               "test:\n\t@echo tests pass\n",
	"go.mod":                 "module github.com/example/lib\n\ngo 1.26.0\n",
	"lib.go":                 "// Package lib greets.\npackage lib\n\n// Hello greets.\nfunc Hello(name string) string { return \"hello \" + name }\n",
	"internal/secret/s.go":   "package secret\n\n// Old can go at any time.\nfunc Old() {}\n",
	"testdata/golden.txt":    "golden\n",
	"extra/go.mod":           "module github.com/example/lib/extra\n\ngo 1.26.0\n\nrequire github.com/example/lib v0.0.0\n\nreplace github.com/example/lib => ../\n",
	"extra/go.sum":           "",
	"extra/extra.go":         "// Package extra greets louder.\npackage extra\n\nimport \"github.com/example/lib\"\n\n// Loud greets loudly.\nfunc Loud(name string) string { return lib.Hello(name) + \"!\" }\n",
	"cmd/tool/go.mod":        "module github.com/example/lib/cmd/tool\n\ngo 1.26.0\n\nrequire (\n\tgithub.com/example/lib v0.0.0\n\tgithub.com/example/lib/extra v0.0.0\n)\n\nreplace (\n\tgithub.com/example/lib => ../../\n\tgithub.com/example/lib/extra => ../../extra\n)\n",
	"cmd/tool/go.sum":        "",
	"cmd/tool/main.go":       "// Command tool greets.\npackage main\n\nimport (\n\t\"fmt\"\n\t\"runtime/debug\"\n\n\t\"github.com/example/lib\"\n\t\"github.com/example/lib/extra\"\n)\n\nfunc main() {\n\tinfo, _ := debug.ReadBuildInfo()\n\tfmt.Println(info.Main.Version, lib.Hello(\"a\"), extra.Loud(\"b\"))\n}\n",
	"cmd/toolbox/readme.txt": "not part of cmd/tool\n",
	"cmd/tool/testdata/x":    "of the tool\n",
	"tests/go.mod":           "module github.com/example/lib/tests\n\ngo 1.26.0\n",
	"tests/testdata/big":     "of tests only\n",
	release.ModulesFile:      ".        release\nextra    release\ncmd/tool release\ntests    keep    tests\n",
}

// newRepo commits files into a new repository.
func newRepo(t *testing.T, files map[string]string) *release.Repo {
	t.Helper()
	repo := &release.Repo{Dir: t.TempDir()}
	git(t, repo, "init", "--quiet", "--initial-branch=main")
	commit(t, repo, files)
	return repo
}

// commit writes files and commits them; an empty content removes one, unless it
// is a go.sum.
func commit(t *testing.T, repo *release.Repo, files map[string]string) {
	t.Helper()
	for name, content := range files {
		write(t, repo, name, content)
	}
	git(t, repo, "add", "--all")
	git(t, repo, "commit", "--quiet", "--message=change")
}

func write(t *testing.T, repo *release.Repo, name, content string) {
	t.Helper()
	path := filepath.Join(repo.Dir, filepath.FromSlash(name))
	if content == "" && filepath.Base(path) != "go.sum" {
		assert.NoError(t, os.RemoveAll(path))
		return
	}
	assert.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	assert.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}

func read(t *testing.T, repo *release.Repo, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repo.Dir, filepath.FromSlash(name)))
	assert.NoError(t, err)
	return string(data)
}

func git(t *testing.T, repo *release.Repo, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = repo.Dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// cut gives the changelog a section for version and commits it.
func cut(t *testing.T, repo *release.Repo, base, version string) {
	t.Helper()
	log := release.ParseChangelog([]byte(read(t, repo, release.ChangelogFile)))
	assert.NoError(t, log.Cut("https://github.com/example/lib", base, version, today))
	commit(t, repo, map[string]string{release.ChangelogFile: string(log.Bytes())})
}

// addEntry notes an unreleased change.
func addEntry(t *testing.T, repo *release.Repo) {
	t.Helper()
	text := read(t, repo, release.ChangelogFile)
	write(t, repo, release.ChangelogFile, strings.Replace(text, "## [Unreleased]\n", "## [Unreleased]\n\n- A change.\n", 1))
}

// publish releases version after base.
func publish(t *testing.T, repo *release.Repo, base, version string) *release.Plan {
	t.Helper()
	cut(t, repo, base, version)
	plan, err := repo.Prepare(t.Context(), version, today)
	assert.NoError(t, err)
	_, err = plan.Make(t.Context(), false)
	assert.NoError(t, err)
	return plan
}

// sandbox is where the go command finds the modules of plan, and no network.
func sandbox(t *testing.T, plan *release.Plan, root string) *release.Sandbox {
	t.Helper()
	dir := t.TempDir()
	proxy := filepath.Join(dir, "proxy")
	assert.NoError(t, release.WriteProxy(context.Background(), proxy, plan.Archives...))
	box, err := release.NewSandbox(t.Context(), dir, proxy, root)
	assert.NoError(t, err)
	return box
}
