package doctorcmd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/doctorcmd"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/cgrouptest"
	"github.com/grpcx-go/sdk/internal/leak"
	"github.com/grpcx-go/sdk/runtimex"
)

var update = flag.Bool("update", false, "write the golden files")

// childEnv makes the test binary the program: its value are the arguments.
const childEnv = "DOCTORCMD_TEST_CHILD"

func TestMain(m *testing.M) {
	cgrouptest.Main()
	if args := os.Getenv(childEnv); args != "" {
		apply()
		os.Exit(cli.Run(context.Background(), cli.System(), strings.Fields(args), doctorcmd.New))
	}
	leak.Main(m, cgrouptest.Close)
}

// applied is what [runtimex.Apply] did in the process of the program, read back
// from the runtime itself.
type applied struct {
	Report runtimex.Report
	Procs  int
	Memory int64
	GOGC   int
}

// apply writes a line with what Apply does here, before the program runs.
func apply() {
	c, err := runtimex.Apply(runtimex.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	a := applied{Report: c.Report(), Procs: runtime.GOMAXPROCS(0), Memory: debug.SetMemoryLimit(-1)}
	a.GOGC = debug.SetGCPercent(100)
	debug.SetGCPercent(a.GOGC)
	c.Undo()
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

// result is what a run of the program left.
type result struct {
	code           int
	stdout, stderr string
}

func run(t *testing.T, command func(cli.Streams) *cobra.Command, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := cli.Run(t.Context(), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, append([]string{"doctor"}, args...), command)
	return result{code, out.String(), errs.String()}
}

// finding and report are of the output of -o json what tests look at.
type finding struct{ ID, Level, Text, Remedy, Source string }

type report struct {
	Result           string
	Errors, Warnings int
	Machine          struct {
		GOARCH   string
		PageSize int `json:"page_size"`
		Features []string
		CPUModel string `json:"cpu_model"`
	}
	Container struct {
		Kind     string
		Versions []int `json:"cgroup_versions"`
	}
	Limits struct {
		CPUQuota float64 `json:"cpu_quota"`
		Memory   int64
		PageSize int `json:"page_size"`
		Levels   []struct{ Path string }
	}
	Runtime map[string]struct {
		Value      int64
		WithoutSDK int64 `json:"without_sdk"`
		Source     string
		Reason     string
	}
	Server struct {
		MaxConnections int `json:"max_connections"`
		FilesSoft      int `json:"files_soft"`
		FilesHard      int `json:"files_hard"`
	}
	Clock struct {
		Synchronized *bool
	}
	TLS *struct {
		Subject string
		SANs    []string
	}
	Findings []finding
}

func parse(t *testing.T, stdout string) report {
	t.Helper()
	var r report
	assert.NoError(t, json.Unmarshal([]byte(stdout), &r), stdout)
	return r
}

// of returns the findings with an id.
func (r report) of(id string) []finding {
	var found []finding
	for _, f := range r.Findings {
		if f.ID == id {
			found = append(found, f)
		}
	}
	return found
}

// bad returns the findings that are not ok.
func (r report) bad() []finding {
	var found []finding
	for _, f := range r.Findings {
		if f.Level != "ok" {
			found = append(found, f)
		}
	}
	return found
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		assert.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	assert.NoError(t, err)
	assert.Equal(t, got, string(want), name+" differs; run go test -update, and look at the difference")
}
