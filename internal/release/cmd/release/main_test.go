package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/leak"
)

func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1", "GOPROXY": "off",
		"GIT_AUTHOR_NAME": "Tester", "GIT_AUTHOR_EMAIL": "tester@example.com",
		"GIT_COMMITTER_NAME": "Tester", "GIT_COMMITTER_EMAIL": "tester@example.com",
	} {
		_ = os.Setenv(name, value)
	}
	leak.Main(m)
}

// newRepo makes a repository with one module and a command.
func newRepo(t *testing.T, makefile string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"LICENSE":                      "Copying is fine.\n",
		"Makefile":                     makefile,
		"CHANGELOG.md":                 "# Changelog\n\n## [Unreleased]\n\n- Everything.\n",
		"go.mod":                       "module github.com/example/app\n\ngo 1.26.0\n",
		"main.go":                      "// Command app does nothing.\npackage main\n\nfunc main() {}\n",
		"internal/release/modules.txt": ". release\n",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		assert.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		assert.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	git(t, dir, "init", "--quiet", "--initial-branch=main")
	git(t, dir, "add", "--all")
	git(t, dir, "commit", "--quiet", "--message=first")
	return dir
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, string(out))
	return strings.TrimSpace(string(out))
}

// TestSteps goes through docs/releasing.md.
func TestSteps(t *testing.T) {
	t.Parallel()
	dir := newRepo(t, "test:\n\t@echo the tests ran\n")
	proxy := filepath.Join(t.TempDir(), "proxy")
	do := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), append([]string{"-C", dir}, args...), &out, &out)
		return out.String(), err
	}

	out, err := do("modules")
	assert.NoError(t, err)
	assert.Equal(t, out, ".\n")

	_, err = do("v0.1.0")
	assert.ErrorContains(t, err, "no section ## [0.1.0]", "run `release changelog v0.1.0`")

	out, err = do("changelog", "v0.1.0")
	assert.NoError(t, err)
	assert.Contains(t, out, "CHANGELOG.md has a section for v0.1.0; review and commit it")
	_, err = do("v0.1.0")
	assert.ErrorContains(t, err, "the tree is not clean", "CHANGELOG.md")
	git(t, dir, "commit", "--quiet", "--all", "--message=Prepare v0.1.0")

	out, err = do("-dry-run", "-proxy", proxy, "v0.1.0")
	assert.NoError(t, err)
	assert.Contains(t, out, "the first release", "the tests ran", "GOPROXY=file://", "would tag v0.1.0")
	assert.Equal(t, git(t, dir, "tag"), "")
	list, err := os.ReadFile(filepath.Join(proxy, "github.com/example/app/@v/list"))
	assert.NoError(t, err)
	assert.Equal(t, string(list), "v0.1.0\n")

	out, err = do("-skip-tests", "v0.1.0")
	assert.NoError(t, err)
	assert.Contains(t, out, "tagged commit "+git(t, dir, "rev-parse", "v0.1.0^{commit}"), "git push --atomic origin v0.1.0\n")
	assert.NotContains(t, out, "the tests ran")

	_, err = do("-skip-tests", "v0.1.0")
	assert.ErrorContains(t, err, "v0.1.0 exists")
	_, err = do("changelog", "v0.3.0")
	assert.ErrorContains(t, err, "leaves one out after v0.1.0")
	_, err = do("changelog", "v0.2.0")
	assert.ErrorContains(t, err, "[Unreleased] has no entries")
	_, err = do("sbom", t.TempDir(), "v0.2.0")
	assert.ErrorContains(t, err, "there is no tag v0.2.0", `the newest is "v0.1.0"`)
	_, err = do("-cyclonedx", "no-such-program", "sbom", t.TempDir())
	assert.ErrorContains(t, err, "no-such-program")
}

// TestFailingTests: nothing is tagged that does not pass, or that its own tests
// change.
func TestFailingTests(t *testing.T) {
	t.Parallel()
	for makefile, want := range map[string]string{
		"test:\n\t@false\n":           "make test: exit status 2",
		"test:\n\t@echo > stray.go\n": "the tree is not clean",
	} {
		dir := newRepo(t, makefile)
		var out bytes.Buffer
		assert.NoError(t, run(t.Context(), []string{"-C", dir, "changelog", "v0.1.0"}, &out, &out))
		git(t, dir, "commit", "--quiet", "--all", "--message=Prepare v0.1.0")
		assert.ErrorContains(t, run(t.Context(), []string{"-C", dir, "v0.1.0"}, &out, &out), want)
		assert.Equal(t, git(t, dir, "tag"), "")
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"-h"}, {"-no-such-flag"}, {"v0.1.0", "v0.2.0"}, {"changelog"}, {"sbom"}, {"sbom", "a", "b", "c"}, {"modules", "x"}} {
		var stdout, stderr bytes.Buffer
		err := run(t.Context(), args, &stdout, &stderr)
		assert.True(t, errors.Is(err, flag.ErrHelp), strings.Join(args, " "))
		assert.Contains(t, stderr.String(), "release [flags] vX.Y.Z", "-dry-run", "-skip-tests")
		assert.Equal(t, stdout.String(), "")
	}
}
