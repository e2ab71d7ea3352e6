package release_test

import (
	"archive/zip"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/release"
)

var today = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// TestRelease makes a release as the command does, and uses it from outside.
func TestRelease(t *testing.T) {
	t.Parallel()
	repo := newRepo(t, small)
	cut(t, repo, "", "v0.1.0")
	before := git(t, repo, "rev-parse", "HEAD")
	ctx := t.Context()

	plan, err := repo.Prepare(ctx, "v0.1.0", today)
	assert.NoError(t, err)
	assert.Equal(t, plan.Step, release.First)
	assert.Equal(t, plan.Notes, "### Added\n\n- Everything.")
	assert.Equal(t, git(t, repo, "tag"), "", "Prepare only reads")
	changes, err := plan.Verify(ctx)
	assert.NoError(t, err)
	assert.Equal(t, len(changes), 0)
	commit, err := plan.Make(ctx, false)
	assert.NoError(t, err)

	t.Run("commit", func(t *testing.T) {
		assert.Equal(t, plan.Tags(), []string{"v0.1.0", "cmd/tool/v0.1.0", "extra/v0.1.0"})
		for _, tag := range plan.Tags() {
			assert.Equal(t, git(t, repo, "rev-parse", tag+"^{commit}"), commit)
			assert.Equal(t, git(t, repo, "cat-file", "-t", tag), "tag")
			assert.Contains(t, git(t, repo, "tag", "--list", "--format=%(contents)", tag), "v0.1.0", "### Added", "- Everything.")
		}
		assert.Equal(t, git(t, repo, "rev-parse", commit+"^"), before)
		assert.Equal(t, git(t, repo, "rev-parse", "HEAD"), before, "the branch stays")
		assert.Equal(t, git(t, repo, "status", "--porcelain"), "")
		assert.Equal(t, git(t, repo, "diff", "--name-only", before, commit),
			"cmd/tool/go.mod\ncmd/tool/go.sum\nextra/go.mod\nextra/go.sum")
		mod := git(t, repo, "show", commit+":cmd/tool/go.mod")
		assert.Contains(t, mod, "github.com/example/lib v0.1.0", "github.com/example/lib/extra v0.1.0")
		assert.NotContains(t, mod, "replace")
	})

	t.Run("zip", func(t *testing.T) {
		proxy := t.TempDir()
		assert.NoError(t, release.WriteProxy(ctx, proxy, plan.Archives...))
		assert.Equal(t, files(t, proxy, "github.com/example/lib", "v0.1.0"), []string{
			".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "cmd/toolbox/readme.txt", "go.mod", release.ModulesFile,
			"internal/secret/s.go", "lib.go", "testdata/golden.txt",
		})
		assert.Equal(t, files(t, proxy, "github.com/example/lib/cmd/tool", "v0.1.0"),
			[]string{"LICENSE", "go.mod", "go.sum", "main.go", "testdata/x"})
	})

	t.Run("go install", func(t *testing.T) {
		box := sandbox(t, plan, "github.com/example/lib")
		_, err := box.Go(ctx, box.Dir, "install", "github.com/example/lib/cmd/tool@v0.1.0")
		assert.NoError(t, err)
		out, err := exec.Command(filepath.Join(box.Dir, "gopath", "bin", "tool")).Output()
		assert.NoError(t, err)
		assert.Equal(t, string(out), "v0.1.0 hello a hello b!\n")
	})

	t.Run("consumer", func(t *testing.T) {
		box := sandbox(t, plan, "github.com/example/lib")
		app := &release.Repo{Dir: filepath.Join(box.Dir, "app")}
		write(t, app, "main.go", "package main\n\nimport \"github.com/example/lib/extra\"\n\nfunc main() { print(extra.Loud(\"you\")) }\n")
		for _, args := range [][]string{
			{"mod", "init", "example.com/app"},
			{"get", "github.com/example/lib/extra@latest"},
			{"mod", "tidy"},
			{"build", "-o", "app", "."},
		} {
			_, err := box.Go(ctx, app.Dir, args...)
			assert.NoError(t, err)
		}
		out, err := exec.Command(filepath.Join(app.Dir, "app")).CombinedOutput()
		assert.NoError(t, err)
		assert.Equal(t, string(out), "hello you!")
		assert.NotContains(t, read(t, app, "go.mod"), "cmd/tool")
	})

	// What the go command makes of the tags has the hashes that the release
	// wrote into go.sum before there were tags.
	t.Run("from the tags", func(t *testing.T) {
		fromTags(t, sandbox(t, plan, "github.com/example/lib"), plan, "github.com/example/lib")
	})
}

// fromTags has the go command fetch the modules from the repository.
func fromTags(t *testing.T, box *release.Sandbox, plan *release.Plan, root string) {
	t.Helper()
	for _, a := range plan.Archives {
		cmd := exec.Command("go", "mod", "download", "-json", a.String())
		cmd.Dir = box.Dir
		cmd.Env = box.Env("GOPROXY=direct", "GOMODCACHE="+t.TempDir(), "GIT_CONFIG_COUNT=1",
			"GIT_CONFIG_KEY_0=url."+plan.Dir()+".insteadOf", "GIT_CONFIG_VALUE_0=https://"+root)
		out, err := cmd.Output()
		assert.NoError(t, err, string(out))
		var got struct{ Sum, GoModSum string }
		assert.NoError(t, json.Unmarshal(out, &got))
		assert.Equal(t, release.Sums{Zip: got.Sum, Mod: got.GoModSum}, a.Sums, a.Path)
	}
}

// files lists a module's zip in a proxy.
func files(t *testing.T, proxy, module, version string) []string {
	t.Helper()
	r, err := zip.OpenReader(filepath.Join(proxy, filepath.FromSlash(module), "@v", version+".zip"))
	assert.NoError(t, err)
	defer r.Close()
	var names []string
	for _, f := range r.File {
		name, ok := strings.CutPrefix(f.Name, module+"@"+version+"/")
		assert.True(t, ok, f.Name)
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
