package vmtest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/vmtest"
)

// cpioEntry is what readCPIO, written from the description of the format,
// finds in an archive.
type cpioEntry struct {
	name         string
	mode         uint32
	major, minor uint32
	body         string
}

func readCPIO(t *testing.T, archive []byte) []cpioEntry {
	t.Helper()
	var entries []cpioEntry
	inodes := map[uint32]bool{}
	for at := 0; ; {
		assert.Equal(t, at%4, 0)
		assert.Equal(t, string(archive[at:at+6]), "070701")
		var field [13]uint32
		for i := range field {
			_, err := fmt.Sscanf(string(archive[at+6+8*i:at+14+8*i]), "%08X", &field[i])
			assert.NoError(t, err)
		}
		size, nameSize := int(field[6]), int(field[11])
		name := string(archive[at+110 : at+110+nameSize])
		assert.True(t, strings.HasSuffix(name, "\x00"), name)
		name = strings.TrimSuffix(name, "\x00")
		body := (at + 110 + nameSize + 3) &^ 3
		at = (body + size + 3) &^ 3
		if name == "TRAILER!!!" {
			assert.Equal(t, at, len(archive))
			return entries
		}
		assert.True(t, !inodes[field[0]], "two entries are one file")
		inodes[field[0]] = true
		entries = append(entries, cpioEntry{name, field[1], field[9], field[10], string(archive[body : body+size])})
	}
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	assert.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	assert.NoError(t, os.WriteFile(file, []byte(content), 0o644))
	return file
}

func TestInitrd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"p/a.go", "p/testdata/deep/x", "p/sub/b.go", "p/sub/testdata/y"} {
		write(t, dir, name, "content of "+name)
	}
	rd := vmtest.Initrd{
		Init:     write(t, dir, "init", "i"),
		Programs: map[string]string{"/bin/p.test": write(t, dir, "p.test", "12345")},
		Packages: map[string]string{"/src/p": filepath.Join(dir, "p"), "/src/p/sub": filepath.Join(dir, "p/sub")},
		Plan:     vmtest.Plan{Jobs: []vmtest.Job{{Name: "p", Argv: []string{"/bin/p.test"}, Exit: 3, Output: "host only"}}},
	}
	var archive bytes.Buffer
	assert.NoError(t, rd.Write(&archive))

	entries := readCPIO(t, archive.Bytes())
	byName := map[string]cpioEntry{}
	for _, e := range entries {
		_, twice := byName[e.name]
		assert.True(t, !twice, e.name, "is there twice")
		parent, there := byName[path.Dir(e.name)]
		assert.True(t, path.Dir(e.name) == "." || there && parent.mode == 0o040755, e.name, "comes before its directory")
		byName[e.name] = e
	}
	assert.Equal(t, byName["dev/console"], cpioEntry{"dev/console", 0o020600, 5, 1, ""})
	assert.Equal(t, byName["init"], cpioEntry{"init", 0o100755, 0, 0, "i"})
	assert.Equal(t, byName["bin/p.test"], cpioEntry{"bin/p.test", 0o100755, 0, 0, "12345"})
	for _, name := range []string{"p/a.go", "p/testdata/deep/x", "p/sub/b.go", "p/sub/testdata/y"} {
		assert.Equal(t, byName["src/"+name], cpioEntry{"src/" + name, 0o100644, 0, 0, "content of " + name})
	}
	for _, name := range []string{"proc", "sys", "tmp"} {
		assert.Equal(t, byName[name].mode, 0o040755, name)
	}

	var got vmtest.Plan
	assert.NoError(t, json.Unmarshal([]byte(byName[strings.TrimPrefix(vmtest.PlanFile, "/")].body), &got))
	assert.Equal(t, got, vmtest.Plan{Jobs: []vmtest.Job{{Name: "p", Argv: []string{"/bin/p.test"}}}})
}

func TestInitrdErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	init := write(t, dir, "init", "i")
	for name, tt := range map[string]struct {
		rd   vmtest.Initrd
		want string
	}{
		"no init":        {vmtest.Initrd{Init: filepath.Join(dir, "none")}, "none"},
		"no program":     {vmtest.Initrd{Init: init, Programs: map[string]string{"/bin/x": filepath.Join(dir, "gone")}}, "gone"},
		"no package":     {vmtest.Initrd{Init: init, Packages: map[string]string{"/src": filepath.Join(dir, "gone")}}, "gone"},
		"relative path":  {vmtest.Initrd{Init: init, Programs: map[string]string{"bin/x": init}}, "no absolute path"},
		"taken path":     {vmtest.Initrd{Init: init, Programs: map[string]string{vmtest.PlanFile: init}}, "already in the archive"},
		"root as a file": {vmtest.Initrd{Init: init, Programs: map[string]string{"/": init}}, "no absolute path"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.ErrorContains(t, tt.rd.Write(&bytes.Buffer{}), tt.want)
		})
	}
	rd := &vmtest.Initrd{Init: init}
	assert.ErrorIs(t, rd.Write(fullDisk{}), errFull)
}

var errFull = errors.New("full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// TestBuild builds init, a package without much, and nothing with the race
// detector, which needs a C compiler for arm64.
func TestBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the go command")
	}
	t.Parallel()
	root, err := filepath.Abs("../..")
	assert.NoError(t, err)
	b := vmtest.Builder{Root: root, Out: t.TempDir()}
	rd, err := b.Build(t.Context(), []vmtest.Suite{{Patterns: []string{"./internal/vmtest/init"}, Flags: []string{"-test.v"}, Env: []string{"A=b"}}})
	assert.NoError(t, err)
	assert.Equal(t, len(rd.Plan.Jobs), 1)
	job := rd.Plan.Jobs[0]
	assert.Equal(t, job.Argv, []string{"/bin/internal_vmtest_init.test", "-test.v"})
	assert.Equal(t, job.Dir, "/src/internal/vmtest/init")
	assert.True(t, slices.Contains(job.Env, "GRPCX_VM=1") && slices.Contains(job.Env, "A=b"))
	for _, program := range []string{rd.Init, rd.Programs[job.Argv[0]]} {
		elf, err := os.ReadFile(program)
		assert.NoError(t, err)
		assert.Equal(t, elf[18], 183, program+" is not for arm64") // e_machine
	}

	_, err = b.Build(t.Context(), []vmtest.Suite{{Patterns: []string{"./internal/vmtest/race"}}})
	assert.ErrorContains(t, err, "./internal/vmtest/race", "has tests")
	_, err = b.Build(t.Context(), []vmtest.Suite{{Patterns: []string{"./nowhere"}}})
	assert.ErrorContains(t, err, "nowhere")
}
