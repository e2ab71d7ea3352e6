package release_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/release"
)

// TestRefused: what is wrong is said before anything is written.
func TestRefused(t *testing.T) {
	t.Parallel()
	const mod = "module github.com/example/lib/extra\n\ngo 1.26.0\n\nrequire github.com/example/lib v0.0.0\n\nreplace github.com/example/lib => ../\n"
	for name, tt := range map[string]struct {
		committed, dirty map[string]string
		tags             []string
		version          string
		err              []string
	}{
		"changed file":   {dirty: map[string]string{"lib.go": "package lib\n"}, err: []string{"the tree is not clean; commit or remove:", "lib.go"}},
		"new file":       {dirty: map[string]string{"new.go": "package lib\n"}, err: []string{"the tree is not clean", "?? new.go"}},
		"version":        {version: "v0.1", err: []string{"want vMAJOR.MINOR.PATCH"}},
		"tag":            {tags: []string{"v0.1.0"}, err: []string{"version v0.1.0 exists"}},
		"nested tag":     {tags: []string{"extra/v0.1.0"}, err: []string{"tag extra/v0.1.0 exists, and v0.1.0 does not", "interrupted"}},
		"changelog":      {version: "v0.2.0", err: []string{"CHANGELOG.md: no section ## [0.2.0]"}},
		"no changelog":   {committed: map[string]string{"CHANGELOG.md": ""}, err: []string{"CHANGELOG.md", "not exist"}},
		"no list":        {committed: map[string]string{release.ModulesFile: ""}, err: []string{release.ModulesFile, "not exist"}},
		"not listed":     {committed: map[string]string{"a/go.mod": "module a\n"}, err: []string{release.ModulesFile, "a has a go.mod and is not listed"}},
		"root kept":      {committed: map[string]string{release.ModulesFile: strings.Replace(small[release.ModulesFile], ".        release", ". keep it", 1)}, err: []string{`the module of the root (".") is not released`}},
		"other replace":  {committed: map[string]string{"extra/go.mod": mod + "\nreplace example.com/x => example.com/y v1.0.0\n"}, err: []string{"extra/go.mod replaces example.com/x", "require what it needs"}},
		"exclude":        {committed: map[string]string{"extra/go.mod": mod + "\nexclude example.com/x v1.0.0\n"}, err: []string{"extra/go.mod excludes example.com/x"}},
		"requires kept":  {committed: map[string]string{"extra/go.mod": mod + "\nrequire github.com/example/lib/tests v0.0.0\n"}, err: []string{"extra/go.mod requires github.com/example/lib/tests, which is not released"}},
		"circle":         {committed: map[string]string{"go.mod": "module github.com/example/lib\n\nrequire github.com/example/lib/extra v0.0.0\n"}, err: []string{"in a circle"}},
		"bad go.mod":     {committed: map[string]string{"extra/go.mod": "modul x\n"}, err: []string{"extra/go.mod:1: unknown directive: modul"}},
		"no module line": {committed: map[string]string{"extra/go.mod": "go 1.26.0\n"}, err: []string{"extra/go.mod: no module line"}},
		"bad go.sum":     {committed: map[string]string{"extra/go.sum": "a b\n"}, err: []string{`extra/go.sum: "a b" is no line of a go.sum`}},
		"wrong sum":      {committed: map[string]string{"extra/go.sum": "github.com/example/lib v0.1.0 h1:x=\n"}, err: []string{"extra/go.sum: github.com/example/lib@v0.1.0 has two hashes"}},
		"no license":     {committed: map[string]string{"LICENSE": ""}, err: []string{"neither the module nor the repository has a LICENSE"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := newRepo(t, small)
			cut(t, repo, "", "v0.1.0")
			if tt.committed != nil {
				commit(t, repo, tt.committed)
			}
			for _, tag := range tt.tags {
				git(t, repo, "tag", tag)
			}
			for file, content := range tt.dirty {
				write(t, repo, file, content)
			}
			before := git(t, repo, "count-objects", "-v") + git(t, repo, "tag")
			version := tt.version
			if version == "" {
				version = "v0.1.0"
			}
			_, err := repo.Prepare(t.Context(), version, today)
			assert.ErrorContains(t, err, tt.err...)
			assert.Equal(t, git(t, repo, "count-objects", "-v")+git(t, repo, "tag"), before)
		})
	}
}

func TestMissingSums(t *testing.T) {
	t.Parallel()
	repo := newRepo(t, small)
	cut(t, repo, "", "v0.1.0")
	git(t, repo, "rm", "--quiet", "extra/go.sum")
	git(t, repo, "commit", "--quiet", "--message=change")
	_, err := repo.Prepare(t.Context(), "v0.1.0", today)
	assert.ErrorContains(t, err, "extra/go.sum", "run go mod tidy in extra")
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

// TestNotARepository shows that what git says arrives.
func TestNotARepository(t *testing.T) {
	t.Parallel()
	repo := &release.Repo{Dir: t.TempDir(), Env: []string{"GIT_CEILING_DIRECTORIES=" + filepath.Dir(t.TempDir())}}
	_, err := repo.Prepare(t.Context(), "v0.1.0", today)
	assert.ErrorContains(t, err, "git status", "not a git repository")
}

// TestDoesNotBuild: the checkout builds, and what users would get does not.
func TestDoesNotBuild(t *testing.T) {
	t.Parallel()
	repo := newRepo(t, small)
	cut(t, repo, "", "v0.1.0")
	// git archive leaves it out, and so does the go command.
	commit(t, repo, map[string]string{".gitattributes": "lib.go export-ignore\n"})
	plan, err := repo.Prepare(t.Context(), "v0.1.0", today)
	assert.NoError(t, err)
	_, err = plan.Verify(t.Context())
	assert.ErrorContains(t, err, "does not build as it would be released", "example/lib")
}

// TestInterrupted: a release that fails half way leaves no tag.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	repo := newRepo(t, small)
	cut(t, repo, "", "v0.1.0")
	plan, err := repo.Prepare(t.Context(), "v0.1.0", today)
	assert.NoError(t, err)
	git(t, repo, "tag", "extra/v0.1.0") // somebody was faster
	_, err = plan.Make(t.Context(), false)
	assert.ErrorContains(t, err, "tag 'extra/v0.1.0' already exists")
	assert.Equal(t, git(t, repo, "tag"), "extra/v0.1.0")

	// Nobody has the key.
	git(t, repo, "tag", "--delete", "extra/v0.1.0")
	git(t, repo, "config", "gpg.program", "false")
	_, err = plan.Make(t.Context(), true)
	assert.ErrorContains(t, err, "git tag")
	assert.True(t, err != nil && !errors.Is(err, fs.ErrNotExist))
	assert.Equal(t, git(t, repo, "tag"), "")

	_, err = plan.Make(t.Context(), false)
	assert.NoError(t, err)
}
