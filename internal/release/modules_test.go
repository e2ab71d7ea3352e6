package release_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/release"
)

func TestParseList(t *testing.T) {
	t.Parallel()
	list, err := release.ParseList([]byte("# comment\n\n. release # the SDK\ncmd/x\trelease\r\nbench keep measures\n"))
	assert.NoError(t, err)
	assert.Equal(t, list, release.List{".": true, "cmd/x": true, "bench": false})
	assert.Equal(t, list.Released(), []string{".", "cmd/x"})

	for text, want := range map[string]string{
		"a release\na keep it":    "line 2: a is listed twice",
		"a":                       `line 1: want "a release" or "a keep" and why`,
		"a keep":                  `want "a release" or "a keep" and why`,
		"a release please":        `want "a release" or "a keep" and why`,
		"a drop":                  `want "a release" or "a keep" and why`,
		"./a release":             "./a: want a clean path inside the repository",
		"a/ release":              "want a clean path",
		"/a release":              "want a clean path",
		"../a release":            "want a clean path",
		"x keep y\n\n../ release": "line 3:",
	} {
		_, err := release.ParseList([]byte(text))
		assert.ErrorContains(t, err, want)
	}
}

func TestListCheck(t *testing.T) {
	t.Parallel()
	list := release.List{".": true, "gone": false}
	assert.NoError(t, list.Check([]string{".", "gone"}))
	err := list.Check([]string{".", "new", "cmd/new"})
	assert.ErrorContains(t, err, "new has a go.mod and is not listed; add it as release or keep",
		"cmd/new has a go.mod", "gone is listed and has no go.mod; remove the line")
}

// TestListed: a module that is added has to be released or not, on purpose.
func TestListed(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("modules.txt")
	assert.NoError(t, err)
	list, err := release.ParseList(data)
	assert.NoError(t, err)
	var dirs []string
	for _, name := range workingTree(t) {
		if path.Base(name) == "go.mod" {
			dirs = append(dirs, path.Dir(name))
		}
	}
	if err := list.Check(dirs); err != nil {
		t.Errorf("%s:\n%v", release.ModulesFile, err)
	}
	// What keeps a directory private keeps it from being released.
	for _, dir := range list.Released() {
		assert.NotContains(t, "/"+dir+"/", "/internal/", "/testdata/")
	}
}

// workingTree returns the files of the repository that holds this test, those
// that are not committed included.
func workingTree(t *testing.T) []string {
	t.Helper()
	if _, err := os.Stat("../../.git"); err != nil {
		t.Skip("not in a git repository")
	}
	cmd := exec.Command("git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	assert.NoError(t, err)
	var names []string
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if _, err := os.Lstat(filepath.Join("../..", filepath.FromSlash(name))); err == nil {
			names = append(names, name)
		}
	}
	return names
}

func FuzzParseList(f *testing.F) {
	f.Add([]byte(". release\nbench keep why # not\n"))
	f.Add([]byte("a\x00 release\n\n#"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := release.ParseList(data)
		if err != nil {
			return
		}
		for dir := range list {
			assert.True(t, dir == path.Clean(dir) && !path.IsAbs(dir) && dir != "..", dir)
		}
	})
}
