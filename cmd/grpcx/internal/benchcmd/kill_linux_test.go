package benchcmd_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/internal/assert"
)

// running is grpcx bench as a process of its own, under load.
type running struct {
	*exec.Cmd
	stderr  *bufio.Scanner
	stdout  bytes.Buffer
	server  int    // process id
	scratch string // its TMPDIR
}

func startBench(t *testing.T) *running {
	t.Helper()
	self, err := os.Executable()
	assert.NoError(t, err)
	argv := []string{self}
	if emulator := os.Getenv("GRPCX_EMULATOR"); emulator != "" {
		argv = []string{emulator, self}
	}
	argv = append(argv, "bench", "--duration", "1m", "--runs", "1", "--only", "unary-1k-tls", "--progress")
	b := &running{Cmd: exec.CommandContext(t.Context(), argv[0], argv[1:]...), scratch: t.TempDir()}
	b.Env = append(os.Environ(), "TMPDIR="+b.scratch)
	b.Stdout = &b.stdout
	b.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as of a shell
	pipe, err := b.StderrPipe()
	assert.NoError(t, err)
	assert.NoError(t, b.Start())
	b.stderr = bufio.NewScanner(pipe)
	assert.True(t, b.stderr.Scan(), "no progress")
	assert.Equal(t, b.stderr.Text(), "1 of 1: unary-1k-tls")
	for _, pid := range processes(t) {
		if state, parent := stat(pid); parent == b.Process.Pid && state != "Z" {
			assert.Equal(t, b.server, 0, "a second child")
			b.server = pid
		}
	}
	assert.True(t, b.server != 0, "no server process")
	return b
}

// gone waits until a process has ended, whoever its parent is.
func gone(t *testing.T, pid int) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if state, _ := stat(pid); state == "" || state == "Z" {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("process %d goes on", pid)
		}
	}
}

func processes(t *testing.T) []int {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*")
	assert.NoError(t, err)
	pids := make([]int, 0, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(filepath.Base(name))
		assert.NoError(t, err)
		pids = append(pids, pid)
	}
	return pids
}

// stat reads the state and the parent of a process, see proc_pid_stat(5); empty
// where there is none.
func stat(pid int) (state string, parent int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	parent, _ = strconv.Atoi(fields[1])
	return fields[0], parent
}

// Ctrl-C reaches both processes. They end at once, with one line and without a
// result, and the certificates are removed.
func TestCtrlC(t *testing.T) {
	b := startBench(t)
	assert.NoError(t, syscall.Kill(-b.Process.Pid, syscall.SIGINT))
	assert.True(t, b.stderr.Scan(), "no error")
	assert.Equal(t, b.stderr.Text(), "grpcx: bench: interrupted after 0 of 1 measurements; start it again and let it end")
	assert.True(t, !b.stderr.Scan(), "a second line")
	_ = b.Wait() // the exit code is the result
	assert.Equal(t, b.ProcessState.ExitCode(), cli.Failed)
	assert.Equal(t, b.stdout.String(), "")
	gone(t, b.server)
	left, err := os.ReadDir(b.scratch)
	assert.NoError(t, err)
	assert.Equal(t, len(left), 0)
}

// The server ends with the process that measures, even where that is killed.
func TestKilled(t *testing.T) {
	b := startBench(t)
	assert.NoError(t, b.Process.Kill())
	gone(t, b.server)
	_ = b.Wait() // it was killed
}

// A server that is killed ends the measurement.
func TestServerKilled(t *testing.T) {
	b := startBench(t)
	assert.NoError(t, syscall.Kill(b.server, syscall.SIGKILL))
	assert.True(t, b.stderr.Scan(), "no error")
	assert.Contains(t, b.stderr.Text(), "grpcx: bench: the server process failed: ", "unary-1k-tls", "signal: killed", "it needs TCP on 127.0.0.1")
	_ = b.Wait() // the exit code is the result
	assert.Equal(t, b.ProcessState.ExitCode(), cli.Failed)
}
