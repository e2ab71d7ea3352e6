package examples_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

// maxLines is how long an example may be.
const maxLines = 60

// row is one of the table in README.md.
type row struct {
	name     string
	run, try string // commands
}

var (
	rowPattern    = regexp.MustCompile("(?m)^\\| \\[([a-z-]+)\\]\\(([a-z/.-]+)\\) \\| .+ \\| `([^`]+)` \\| `([^`]+)` \\|$")
	importPattern = regexp.MustCompile(`(?m)^\t(?:\w+ )?"(github\.com/grpcx-go/sdk/[^"]+)"$`)
)

func readTable(t *testing.T) []row {
	t.Helper()
	text, err := os.ReadFile("README.md")
	assert.NoError(t, err)
	var rows []row
	for _, m := range rowPattern.FindAllStringSubmatch(string(text), -1) {
		assert.Equal(t, m[2], m[1]+"/main.go")
		rows = append(rows, row{name: m[1], run: m[3], try: m[4]})
	}
	return rows
}

// The table of README.md, the directories and the tests are of one mind.
func TestTable(t *testing.T) {
	var dirs, listed, tested []string
	mains, err := filepath.Glob("*/main.go")
	assert.NoError(t, err)
	for _, path := range mains {
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, r := range readTable(t) {
		listed = append(listed, r.name)
	}
	for name := range scenarios {
		tested = append(tested, name)
	}
	slices.Sort(dirs)
	slices.Sort(listed)
	slices.Sort(tested)
	assert.Equal(t, listed, dirs, "rows of README.md, and directories with a main.go:")
	assert.Equal(t, tested, dirs, "scenarios of this test, and directories with a main.go:")
}

// Each example is one short file that can be copied as it is.
func TestShape(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "main.go" {
			return err
		}
		seen++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if lines := strings.Count(string(text), "\n"); lines > maxLines {
			t.Errorf("%s has %d lines, more than %d", path, lines, maxLines)
		}
		if !strings.HasPrefix(string(text), "// Command "+filepath.Base(filepath.Dir(path))+" ") {
			t.Errorf("%s does not begin with what the command does", path)
		}
		for _, m := range importPattern.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "/internal/") || strings.Contains(m[1], "/examples/") && !strings.HasSuffix(m[1], "/examples/greet") {
				t.Errorf("%s imports %s, which a copy could not", path, m[1])
			}
		}
		files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.go"))
		if err != nil {
			return err
		}
		for _, file := range files {
			if file != path && !strings.HasSuffix(file, "_test.go") {
				t.Errorf("%s is not alone: %s", path, file)
			}
		}
		return nil
	})
	assert.NoError(t, err)
	assert.True(t, seen >= len(scenarios), "main.go files were found")
}

// Every example is built, started with the command of README.md, called, and
// stopped by a signal.
func TestExamples(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGTERM to send")
	}
	rows := readTable(t)
	bins := build(t, rows)
	addrs := freeAddrs(t, len(rows)*addrsEach)
	for i, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			play, ok := scenarios[r.name]
			if !ok {
				t.Fatal("there is no scenario for this example")
			}
			play(t, newExample(t, r, bins, addrs[i*addrsEach:]))
		})
	}
}
