//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/vmtest"
)

// TestConsole: the host understands what init writes, with output that does
// not end in a newline before an event.
func TestConsole(t *testing.T) {
	var line strings.Builder
	c := &console{w: &line}
	c.send(vmtest.Event{Kind: vmtest.KindMachine, Machine: &vmtest.Machine{PageSize: 4096}})
	c.send(vmtest.Event{Kind: vmtest.KindStart, Job: "a"})
	fmt.Fprint(c, "half a line")
	c.send(vmtest.Event{Kind: vmtest.KindEnd, Job: "a", Result: &vmtest.Result{Exit: 3, Detail: `"quoted"`, Left: 1}})
	c.send(vmtest.Event{Kind: vmtest.KindDone})

	var out strings.Builder
	report, err := vmtest.Read(strings.NewReader(line.String()), vmtest.Plan{Jobs: []vmtest.Job{{Name: "a"}}}, &out)
	assert.NoError(t, err)
	assert.Equal(t, report.Results, []vmtest.Result{{Exit: 3, Detail: `"quoted"`, Left: 1}})
	assert.Contains(t, out.String(), "half a line\nFAIL\ta\t")
}

func TestCounter(t *testing.T) {
	file := filepath.Join(t.TempDir(), "memory.events")
	assert.NoError(t, os.WriteFile(file, []byte("low 0\noom 4\noom_kill 3\nbad x\n"), 0o644))
	assert.Equal(t, counter(file, "oom_kill"), 3)
	assert.Equal(t, counter(file, "oom"), 4)
	assert.Equal(t, counter(file, "bad"), 0)
	assert.Equal(t, counter(file, "none"), 0)
	assert.Equal(t, counter(file+"x", "oom"), 0)
}
