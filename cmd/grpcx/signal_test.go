//go:build unix

package main

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
)

// The second signal ends a command that does not heed the first one.
func TestSecondSignalKills(t *testing.T) {
	executable, err := os.Executable()
	assert.NoError(t, err)
	for _, sent := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		if signal.Ignored(sent) {
			continue // as in the background of a script; a child inherits it
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, executable)
		cmd.Env = append(os.Environ(), testAs+"=stubborn")
		out, err := cmd.StdoutPipe()
		assert.NoError(t, err)
		assert.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		assert.True(t, lines.Scan() && lines.Text() == "running", lines.Text())
		assert.NoError(t, cmd.Process.Signal(sent))
		assert.True(t, lines.Scan() && lines.Text() == "asked", lines.Text())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait() // its state is checked below
		}()
		// The first one's handler goes shortly after the command was asked.
		for again := time.Tick(10 * time.Millisecond); cmd.Process.Signal(sent) == nil; {
			select {
			case <-ended:
			case <-again:
			}
		}
		<-ended
		status := cmd.ProcessState.Sys().(syscall.WaitStatus)
		assert.True(t, status.Signaled() && status.Signal() == sent, cmd.ProcessState.String())
	}
}

// The first signal ends a command that waits.
func TestFirstSignalEnds(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	defer lis.Close()
	for _, sent := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		shell := newShell(t)
		var errs strings.Builder
		cmd := shell.command(t, "exec grpcx health --timeout 1m "+lis.Addr().String())
		cmd.Stderr = &errs
		assert.NoError(t, cmd.Start())
		conn, err := lis.Accept() // so it runs
		assert.NoError(t, err)
		assert.NoError(t, cmd.Process.Signal(sent))
		assert.ErrorContains(t, cmd.Wait(), "exit status 1")
		assert.Contains(t, errs.String(), "interrupted before an answer")
		_ = conn.Close()
	}
}

// "| head" ends it as it ends other programs, without a word.
func TestReaderThatLeaves(t *testing.T) {
	r, w, err := os.Pipe()
	assert.NoError(t, err)
	defer w.Close()
	assert.NoError(t, r.Close())
	var errs strings.Builder
	cmd := newShell(t).command(t, "exec grpcx version")
	cmd.Stdout, cmd.Stderr = w, &errs
	assert.ErrorContains(t, cmd.Run(), "broken pipe")
	assert.Equal(t, cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(), syscall.SIGPIPE)
	assert.Equal(t, errs.String(), "")
}
