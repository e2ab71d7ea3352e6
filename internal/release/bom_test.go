package release_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/release"
)

func TestHeadAndTagged(t *testing.T) {
	t.Parallel()
	repo := newRepo(t, small)
	head, err := repo.Head(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, len(head), 3)
	hash := git(t, repo, "rev-parse", "HEAD")[:12]
	for _, a := range head {
		assert.True(t, strings.HasPrefix(a.Version.Version, "v0.0.0-") && strings.HasSuffix(a.Version.Version, "-"+hash), a.Version.Version)
	}

	_, err = repo.Tagged(t.Context(), "v0.1.0")
	assert.ErrorContains(t, err, "there is no tag v0.1.0")

	plan := publish(t, repo, "", "v0.1.0")
	git(t, repo, "tag", "--delete", "extra/v0.1.0")
	tagged, err := repo.Tagged(t.Context(), "v0.1.0")
	assert.NoError(t, err)
	sums := map[string]release.Sums{}
	for _, a := range plan.Archives {
		sums[a.Path] = a.Sums
	}
	delete(sums, "github.com/example/lib/extra")
	for _, a := range tagged {
		assert.Equal(t, a.Sums, sums[a.Path], a.Path)
		delete(sums, a.Path)
	}
	assert.Equal(t, sums, map[string]release.Sums{})

	head, err = repo.Head(t.Context())
	assert.NoError(t, err)
	assert.True(t, strings.HasPrefix(head[0].Version.Version, "v0.1.1-0."), head[0].Version.Version)

	_, err = release.BOM(t.Context(), "no-such-program", t.TempDir(), head)
	assert.ErrorContains(t, err, "github.com/example/lib@v0.1.1-0.", "no-such-program", "make sbom builds it")
}

// bom is what the tests read of CycloneDX.
type bom struct {
	SpecVersion string
	Metadata    struct{ Component component }
	Components  []component
}

type component struct {
	Name, Version string
	Hashes        []struct{ Content string }
}

// TestBOM holds the bills of materials against what the go command compiles.
func TestBOM(t *testing.T) {
	needEnv(t)
	t.Setenv("GOPROXY", upstream)
	ctx := t.Context()
	plan := snapshot(t)
	cyclonedx := filepath.Join(t.TempDir(), "cyclonedx-gomod")
	build := exec.Command("go", "build", "-o", cyclonedx, "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod")
	build.Dir = "../tools/sbom"
	out, err := build.CombinedOutput()
	assert.NoError(t, err, string(out))

	first, second := t.TempDir(), t.TempDir()
	files, err := release.BOM(ctx, cyclonedx, first, plan.Archives)
	assert.NoError(t, err)
	again, err := release.BOM(ctx, cyclonedx, second, plan.Archives)
	assert.NoError(t, err)
	assert.Equal(t, len(files), len(plan.Archives)+1, "one for each module, and one for the binary")
	for i := range files {
		assert.Equal(t, readFile(t, again[i]), readFile(t, files[i]), "the same release has the same bills")
	}

	box := sandbox(t, plan, sdk)
	for _, a := range plan.Archives {
		dir, err := a.Unpack(box.Dir)
		assert.NoError(t, err)
		name := strings.ReplaceAll(a.Path, "/", "_") + "@v0.1.0"
		// A module is used on all platforms, a binary on one.
		assert.Equal(t, billed(t, filepath.Join(first, name+".cdx.json"), a), compiled(t, box, dir, a, "linux", "darwin", "windows"), a.Path)
		if a.Path == sdk+"/cmd/grpcx" {
			assert.Equal(t, billed(t, filepath.Join(first, name+"_linux_amd64.cdx.json"), a), compiled(t, box, dir, a, "linux"), "the binary")
		}
	}
}

// billed returns the modules, with their versions, that a bill lists.
func billed(t *testing.T, name string, a *release.Archive) []string {
	t.Helper()
	var b bom
	assert.NoError(t, json.Unmarshal([]byte(readFile(t, name)), &b))
	assert.Equal(t, b.SpecVersion, "1.6")
	assert.Equal(t, b.Metadata.Component.Name, a.Path)
	assert.Equal(t, b.Metadata.Component.Version, "v0.1.0")
	var modules []string
	for _, c := range b.Components {
		if c.Name != "std" {
			modules = append(modules, c.Name+"@"+c.Version)
			assert.True(t, len(c.Hashes) > 0, c.Name, "has no hash")
		}
	}
	slices.Sort(modules)
	return modules
}

// compiled returns the modules that the packages of a module compile.
func compiled(t *testing.T, box *release.Sandbox, dir string, a *release.Archive, platforms ...string) []string {
	t.Helper()
	var modules []string
	for _, goos := range platforms {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}@{{.Version}}{{end}}", "./...")
		cmd.Dir, cmd.Env = dir, box.Env("GOOS="+goos, "GOARCH=amd64")
		out, err := cmd.Output()
		assert.NoError(t, err)
		modules = append(modules, strings.Fields(string(out))...)
	}
	slices.Sort(modules)
	return slices.DeleteFunc(slices.Compact(modules), func(m string) bool { return m == a.Path+"@" })
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	assert.NoError(t, err)
	return string(data)
}
