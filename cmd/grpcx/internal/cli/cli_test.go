package cli_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/internal/assert"
)

var update = flag.Bool("update", false, "write the golden files")

// newPour is a command with a group below it, as a user of the package writes.
func newPour(streams cli.Streams) *cobra.Command {
	var format cli.Format
	pour := &cobra.Command{Use: "pour", Short: "Pour something"}
	tea := &cobra.Command{
		Use:  "tea",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch way, _ := cmd.Flags().GetString("way"); way {
			case "badly":
				return errors.New("the pot is empty; fill it")
			case "coded":
				return fmt.Errorf("in context: %w", cli.Exit(5, errors.New("too hot; wait")))
			case "silently":
				return cli.Exit(6, nil)
			case "wrongly":
				return cli.Usagef("the cup is upside down; turn it")
			case "noisily":
				return errors.New("a\nb\x1b[2J\xff\r\nc")
			}
			_, err := fmt.Fprintf(streams.Out, "tea as %s\n", format.String())
			return err
		},
	}
	tea.Flags().String("way", "", "")
	cli.OutputVar(tea, &format)
	pour.AddCommand(tea)
	return pour
}

func run(t *testing.T, args ...string) (code int, out, errout string) {
	t.Helper()
	var o, e bytes.Buffer
	code = cli.Run(t.Context(), cli.Streams{In: strings.NewReader(""), Out: &o, Err: &e}, args, newPour)
	return code, o.String(), e.String()
}

func TestExitCodes(t *testing.T) {
	for _, test := range []struct {
		args   []string
		code   int
		errout string
	}{
		{[]string{"pour", "tea"}, cli.OK, ""},
		{[]string{"pour", "tea", "--way", "badly"}, cli.Failed, "grpcx: the pot is empty; fill it\n"},
		{[]string{"pour", "tea", "--way", "coded"}, 5, "grpcx: in context: too hot; wait\n"},
		{[]string{"pour", "tea", "--way", "silently"}, 6, ""},
		{[]string{"pour", "tea", "--way", "wrongly"}, cli.Usage, "grpcx: the cup is upside down; turn it\n"},
		{[]string{"pour", "tea", "--way", "noisily"}, cli.Failed, "grpcx: a; b\\u001b[2J\uFFFD; c\n"},
		{[]string{"pour", "tea", "--hot"}, cli.Usage, "grpcx: unknown flag: --hot; see \"grpcx pour tea --help\"\n"},
		{[]string{"pour", "tea", "cup"}, cli.Usage, "grpcx: unknown command \"cup\" for \"grpcx pour tea\"; see \"grpcx pour tea --help\"\n"},
		{[]string{"pour", "teaa"}, cli.Usage, "grpcx: unknown command \"teaa\" for \"grpcx pour\"; did you mean \"tea\"?\n"},
		{[]string{"pour", "gin"}, cli.Usage, "grpcx: unknown command \"gin\" for \"grpcx pour\"; see \"grpcx pour --help\"\n"},
		{[]string{"por"}, cli.Usage, "grpcx: unknown command \"por\" for \"grpcx\"; did you mean \"pour\"?\n"},
		{[]string{"help", "por"}, cli.Usage, "grpcx: unknown command \"por\" for \"grpcx\"; did you mean \"pour\"?\n"},
		{[]string{"help", "pour", "gin"}, cli.Usage, "grpcx: unknown command \"gin\" for \"grpcx pour\"; see \"grpcx pour --help\"\n"},
		{[]string{"completion", "fisch"}, cli.Usage, "grpcx: unknown command \"fisch\" for \"grpcx completion\"; did you mean \"fish\"?\n"},
	} {
		code, out, errout := run(t, test.args...)
		assert.Equal(t, code, test.code, test.args...)
		assert.Equal(t, errout, test.errout, test.args...)
		assert.Equal(t, out, map[bool]string{true: "tea as tty\n"}[code == cli.OK], test.args...)
	}
}

func TestFlagsWithOneDash(t *testing.T) {
	for _, flag := range []string{"-way", "-way=badly"} {
		code, _, errout := run(t, "pour", "tea", flag)
		assert.Equal(t, code, cli.Usage, errout)
		assert.Contains(t, errout, "unknown flag", "write --")
	}
}

func TestError(t *testing.T) {
	cause := errors.New("cause")
	err := fmt.Errorf("around: %w", cli.Exit(7, cause))
	assert.ErrorIs(t, err, cause)
	coded, ok := errors.AsType[*cli.Error](err)
	assert.True(t, ok)
	assert.Equal(t, coded.Code, 7)
	assert.Equal(t, coded.Error(), "cause")
	assert.Equal(t, cli.Exit(7, nil).Error(), "")
	assert.ErrorIs(t, cli.Usagef("bad: %w", cause), cause)
}

func TestFormat(t *testing.T) {
	_, out, _ := run(t, "pour", "tea", "-o", "json")
	assert.Equal(t, out, "tea as json\n")
	code, _, errout := run(t, "pour", "tea", "-o", "xml")
	assert.Equal(t, code, cli.Usage)
	assert.Contains(t, errout, `"xml"`, "must be tty or json", "grpcx pour tea --help")
	_, out, _ = run(t, "__complete", "pour", "tea", "-o", "")
	assert.Contains(t, out, "tty\njson\n")
}

// fullDisk fails after a few bytes.
type fullDisk struct{ room int }

func (d *fullDisk) Write(p []byte) (int, error) {
	n := min(d.room, len(p))
	d.room -= n
	if n < len(p) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

func TestOutputThatCannotBeWritten(t *testing.T) {
	for _, args := range [][]string{{"pour", "tea"}, {"--help"}, {"version", "-o", "json"}, {"completion", "bash"}} {
		var errout bytes.Buffer
		code := cli.Run(t.Context(), cli.Streams{Out: &fullDisk{3}, Err: &errout}, args, newPour)
		assert.Equal(t, code, cli.Failed, args...)
		assert.Contains(t, errout.String(), "no space left on device")
	}
}

// "| head" wants no more, and no complaint.
func TestAbandonedPipe(t *testing.T) {
	r, closedPipe, err := os.Pipe()
	assert.NoError(t, err)
	defer closedPipe.Close()
	assert.NoError(t, r.Close())
	for _, args := range [][]string{{"pour", "tea"}, {"--help"}, {"version", "-o", "json"}, {"completion", "bash"}} {
		var errout bytes.Buffer
		code := cli.Run(t.Context(), cli.Streams{Out: closedPipe, Err: &errout}, args, newPour)
		assert.Equal(t, code, cli.Failed, args...)
		assert.Equal(t, errout.String(), "")
	}
}

func TestContextReachesTheCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	look := func(cli.Streams) *cobra.Command {
		return &cobra.Command{Use: "look", RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Context().Err() }}
	}
	var errout bytes.Buffer
	assert.Equal(t, cli.Run(ctx, cli.Streams{Out: &errout, Err: &errout}, []string{"look"}, look), cli.Failed)
	assert.Contains(t, errout.String(), "canceled")
}

func TestHelp(t *testing.T) {
	var all strings.Builder
	for _, args := range [][]string{{"--help"}, {"version", "--help"}, {"pour", "--help"}, {"help", "--help"}, {"completion", "--help"}} {
		code, out, errout := run(t, args...)
		assert.Equal(t, code, cli.OK, errout)
		fmt.Fprintf(&all, "$ grpcx %s\n%s\n", strings.Join(args, " "), out)
	}
	golden := filepath.Join("testdata", "help.golden")
	if *update {
		assert.NoError(t, os.WriteFile(golden, []byte(all.String()), 0o600))
	}
	want, err := os.ReadFile(golden)
	assert.NoError(t, err)
	assert.Equal(t, all.String(), string(want), "run go test -update to accept")
}

// All ways of asking for help say the same.
func TestHelpIsHelp(t *testing.T) {
	_, want, _ := run(t, "pour", "--help")
	for _, args := range [][]string{{"pour"}, {"help", "pour"}, {"pour", "-h"}} {
		code, out, errout := run(t, args...)
		assert.Equal(t, code, cli.OK, errout)
		assert.Equal(t, out, want, args...)
	}
	assert.NotContains(t, want, "grpcx pour [flags]")
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		code, out, errout := run(t, "completion", shell)
		assert.Equal(t, code, cli.OK, errout)
		assert.Contains(t, out, "grpcx", "__complete")
	}
	_, out, _ := run(t, "__complete", "p")
	assert.Contains(t, out, "pour\t")
	_, out, _ = run(t, "__complete", "help", "pour", "")
	assert.Contains(t, out, "tea")
}

func FuzzOneLine(f *testing.F) {
	f.Add("a\nb\r\n\x1b[2J\u202e\xff")
	f.Fuzz(func(t *testing.T, text string) {
		line := cli.OneLine(text)
		if strings.ContainsAny(line, "\n\r\x1b\x00\u202e") {
			t.Errorf("%q is not a clean line", line)
		}
		if again := cli.OneLine(line); again != line {
			t.Errorf("%q becomes %q", line, again)
		}
	})
}
