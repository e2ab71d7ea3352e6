package migrate_test

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

var update = flag.Bool("update", false, "rewrite the code blocks of the pages")

const docs = "../../docs/"

var (
	// block is a fenced block below the comment that names its source: a file of
	// this directory or, behind a #, a function of it.
	block = regexp.MustCompile("(?ms)^<!-- ([\\w./-]+)(?:#(\\w+))? -->\n```(\\w+)\n(.*?)^```$")
	fence = regexp.MustCompile("(?m)^```(go|yaml)$")
)

// What the pages show is what compiles and is tested here.
func TestBlocks(t *testing.T) {
	shown := map[string]bool{}
	for _, page := range []string{"choosing.md", "migrating.md"} {
		text := readText(t, docs+page)
		blocks := block.FindAllStringSubmatchIndex(text, -1)
		assert.Equal(t, len(blocks), len(fence.FindAllString(text, -1)), page+": every block of Go or YAML has a source")
		var out strings.Builder
		last := 0
		for _, b := range blocks {
			file, function := text[b[2]:b[3]], ""
			if b[4] >= 0 {
				function = text[b[4]:b[5]]
			}
			shown[file+"#"+function] = true
			want := source(t, file, function)
			if got := text[b[8]:b[9]]; got != want && !*update {
				t.Errorf("%s shows another %s %s than there is; run: go test . -run TestBlocks -update", page, file, function)
			}
			out.WriteString(text[last:b[8]] + want)
			last = b[9]
		}
		out.WriteString(text[last:])
		if *update {
			assert.NoError(t, os.WriteFile(docs+page, []byte(out.String()), 0o644))
		}
	}
	for _, want := range everything(t) {
		assert.True(t, shown[want], want+" is shown")
	}
}

// source returns a file or, without its comment, a function of one.
func source(t *testing.T, file, function string) string {
	t.Helper()
	text := readText(t, file)
	if function == "" {
		return text
	}
	decl := functions(t, file)[function]
	if decl == nil {
		t.Fatalf("%s has no function %s", file, function)
	}
	return text[decl.Pos()-1:decl.End()-1] + "\n"
}

// functions returns the functions of a file, whose positions begin at 1.
func functions(t *testing.T, file string) map[string]*ast.FuncDecl {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	assert.NoError(t, err)
	found := map[string]*ast.FuncDecl{}
	for _, d := range parsed.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			found[f.Name.Name] = f
		}
	}
	return found
}

// everything lists what has to be shown somewhere: the programs and the
// functions of package alone.
func everything(t *testing.T) (all []string) {
	t.Helper()
	assert.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Base(path) == "main.go" {
			all = append(all, filepath.ToSlash(path)+"#")
		}
		return err
	}))
	assert.Equal(t, len(all), len(programs), "every program is tested")
	for name := range functions(t, "alone/alone.go") {
		all = append(all, "alone/alone.go#"+name)
	}
	return all
}

// readText reads a file as a checkout with Unix line ends has it.
func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	assert.NoError(t, err)
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}
