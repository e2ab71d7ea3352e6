package benchcmd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
)

// script is an executable that is not grpcx.
func script(t *testing.T, text string) []string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("it takes a shell script")
	}
	name := filepath.Join(t.TempDir(), "server")
	assert.NoError(t, os.WriteFile(name, []byte("#!/bin/sh\n"+text+"\n"), 0o700))
	return []string{name}
}

func self(t *testing.T) []string {
	t.Helper()
	name, err := os.Executable()
	assert.NoError(t, err)
	if emulator := os.Getenv(emulatorVariable); emulator != "" {
		return []string{emulator, name}
	}
	return []string{name}
}

// A server that does not start is an error of one line that says why.
func TestProcessDoesNotStart(t *testing.T) {
	tests := []struct {
		name    string
		program []string
		order   order
		want    string
	}{
		{"no executable", []string{filepath.Join(t.TempDir(), "none")}, order{}, "could not be started"},
		{"ends silently", script(t, "exit 3"), order{}, "exit status 3"},
		{"says why", script(t, "echo first >&2; echo grpcx: no more memory >&2; exit 1"), order{}, "did not start: no more memory; it needs TCP"},
		{"another program", script(t, "echo hello; exec cat"), order{}, "invalid character 'h'"},
		{"no certificates", self(t), order{Cert: "/none/tls.crt", Key: "/none/tls.key", ClientCA: "/none/ca.crt"}, "/none/tls.crt"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := startProcess(t.Context(), tt.program, tt.order, nil)
			assert.ErrorContains(t, err, "the server process", tt.want)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

// A process that does nothing is killed: with the context, and by the watch.
func TestProcessHangs(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := startProcess(ctx, script(t, "exec sleep 60"), order{}, nil)
	assert.ErrorIs(t, err, context.DeadlineExceeded)

	p, err := startProcess(t.Context(), self(t), order{}, nil)
	assert.NoError(t, err)
	defer p.watch(time.Millisecond, "grow wings")()
	<-p.ctx.Done()
	_, err = p.usage(atOnce)
	assert.True(t, err != nil, "a dead process has no usage")
	_ = p.close()
	assert.ErrorContains(t, p.explain("failed", err, nil), "the server process failed: it did not grow wings within 1ms")
}

// A server that dies under load ends the measurement.
func TestProcessDies(t *testing.T) {
	p, err := startProcess(t.Context(), self(t), order{}, nil)
	assert.NoError(t, err)
	kill := &session{callers: []func() error{
		unaryCaller(p.ctx, p.conns[0]),
		func() error { return errors.Join(p.cmd.Process.Kill(), errors.New("killed")) },
	}}
	_, err = kill.run(time.Minute)
	assert.True(t, err != nil, "every call succeeded")
	assert.ErrorContains(t, p.close(), "signal: killed")
}

func TestLastLine(t *testing.T) {
	var l lastLine
	assert.Equal(t, l.String(), "")
	for _, text := range []string{"one\n", "grpcx: tw", "o\n\n"} {
		n, err := l.Write([]byte(text))
		assert.True(t, n == len(text) && err == nil)
	}
	assert.Equal(t, l.String(), "two")
	_, _ = l.Write([]byte(strings.Repeat("x", 3*maxLine)))
	assert.Equal(t, l.String(), strings.Repeat("x", maxLine))
}
