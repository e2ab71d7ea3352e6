package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/internal/assert"
)

// tree returns every command that users see, the root first.
func tree() []*cobra.Command {
	var all []*cobra.Command
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Hidden {
			return
		}
		all = append(all, cmd)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	root := cli.New(cli.Streams{}, commands...)
	root.InitDefaultHelpCmd() // cobra adds it late
	walk(root)
	return all
}

// ours reports whether the help is not that of cobra.
func ours(cmd *cobra.Command) bool {
	return !strings.HasPrefix(cmd.CommandPath(), "grpcx completion")
}

// The help of every command is a golden file, and there are no others.
func TestHelp(t *testing.T) {
	dir := filepath.Join("testdata", "help")
	stale := map[string]bool{}
	entries, err := os.ReadDir(dir)
	assert.NoError(t, err)
	for _, entry := range entries {
		stale[entry.Name()] = true
	}
	for _, cmd := range tree() {
		path := strings.Fields(cmd.CommandPath())
		code, help, stderr := grpcx(t, append(path[1:], "--help")...)
		assert.Equal(t, code, cli.OK, stderr)
		name := strings.Join(path, "-") + ".txt"
		delete(stale, name)
		golden := filepath.Join(dir, name)
		if *update {
			assert.NoError(t, os.WriteFile(golden, []byte(help), 0o600))
		}
		want, err := os.ReadFile(golden)
		assert.NoError(t, err)
		if line, got, want := difference(help, string(want)); line > 0 {
			t.Errorf("%s:%d is %q, the help has %q; run go test -update and look at the difference", golden, line, want, got)
		}
	}
	for name := range stale {
		if *update {
			assert.NoError(t, os.Remove(filepath.Join(dir, name)))
		} else {
			t.Errorf("%s belongs to no command; run go test -update", name)
		}
	}
}

// difference returns the first line in which two texts differ, 0 for none.
func difference(got, want string) (line int, gotLine, wantLine string) {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(a), len(b)) {
		var x, y string
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y || i >= min(len(a), len(b)) {
			return i + 1, x, y
		}
	}
	return 0, "", ""
}

// Every command says what it does, how it exits, and what its flags are.
func TestHelpIsComplete(t *testing.T) {
	for _, cmd := range tree() {
		path := cmd.CommandPath()
		assert.True(t, cmd.Short != "" && !strings.HasSuffix(cmd.Short, "."), path, cmd.Short)
		assert.True(t, cmd.Long != "", path)
		if ours(cmd) {
			assert.Contains(t, cmd.Long, "Exit codes")
			assert.True(t, len(examples(cmd)) > 0, path)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			assert.True(t, f.Hidden || f.Usage != "", path, f.Name)
			if f.Name == "output" {
				assert.Equal(t, f.Value.Type(), "tty|json", path)
				assert.Equal(t, f.DefValue, "tty", path)
			}
		})
		for line := range strings.Lines(cmd.Long) {
			assert.True(t, !ours(cmd) || len(line) <= 90, path, line)
		}
	}
}

// examples returns the command lines in the help of a command.
func examples(cmd *cobra.Command) []string {
	var lines []string
	for line := range strings.Lines(cmd.Example) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "# ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// An example is about the command in whose help it is.
func TestExamplesAreOfTheCommand(t *testing.T) {
	for _, cmd := range tree() {
		for _, line := range examples(cmd) {
			assert.True(t, strings.HasPrefix(line+" ", cmd.CommandPath()+" ") || cmd.Name() == "help", cmd.CommandPath(), line)
			assert.True(t, strings.HasPrefix(line, "grpcx "), line)
		}
	}
}
