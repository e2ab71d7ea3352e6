package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/leak"
)

var update = flag.Bool("update", false, "write the golden files")

// testAs makes the test binary another program, so that nothing is built a
// second time.
const testAs = "GRPCX_TEST_AS"

func TestMain(m *testing.M) {
	switch os.Getenv(testAs) {
	case "grpcx":
		main()
	case "stubborn":
		os.Exit(run([]string{"hang"}, newStubborn))
	}
	// A process with the race detector otherwise sleeps for a second at its end.
	_ = os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	leak.Main(m)
}

// grpcx runs the command line in this process.
func grpcx(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Run(t.Context(), cli.Streams{In: bytes.NewReader(nil), Out: &out, Err: &errs}, args, commands...)
	return code, out.String(), errs.String()
}

// newStubborn makes a command that says when it is asked to end, and does not.
func newStubborn(streams cli.Streams) *cobra.Command {
	return &cobra.Command{Use: "hang", RunE: func(cmd *cobra.Command, _ []string) error {
		_, _ = fmt.Fprintln(streams.Out, "running")
		<-cmd.Context().Done()
		_, _ = fmt.Fprintln(streams.Out, "asked")
		select {}
	}}
}

// A shell runs lines with grpcx in its PATH, in a directory of its own.
type shell struct {
	dir string
	env []string
}

func newShell(t *testing.T) *shell {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil || runtime.GOOS == "windows" {
		t.Skip("there is no bash")
	}
	executable, err := os.Executable()
	assert.NoError(t, err)
	bin := t.TempDir()
	assert.NoError(t, os.Symlink(executable, filepath.Join(bin, "grpcx")))
	return &shell{
		dir: t.TempDir(),
		env: append(os.Environ(), testAs+"=grpcx", "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH")),
	}
}

// command makes a line that is killed when it hangs.
func (s *shell) command(t *testing.T, line string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.WaitDelay = time.Second
	cmd.Dir, cmd.Env = s.dir, s.env
	return cmd
}

// run runs a line to its end.
func (s *shell) run(t *testing.T, line string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := s.command(t, line)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		t.Fatalf("%s: %v", line, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// must runs lines that have to succeed.
func (s *shell) must(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		code, _, stderr := s.run(t, line)
		assert.Equal(t, code, 0, line, stderr)
	}
}
