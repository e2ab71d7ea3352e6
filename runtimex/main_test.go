package runtimex_test

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"testing"

	"github.com/grpcx-go/sdk/internal/cgrouptest"
	"github.com/grpcx-go/sdk/internal/leak"
	"github.com/grpcx-go/sdk/runtimex"
)

// childEnv makes the test binary print its report instead of running tests.
// Its value says what the child changes first.
const childEnv = "RUNTIMEX_TEST_CHILD"

func TestMain(m *testing.M) {
	cgrouptest.Main()
	if does := os.Getenv(childEnv); does != "" {
		child(does)
		return
	}
	leak.Main(m, cgrouptest.Close)
}

// child is a process of its own, because the runtime reads its environment
// only when a process starts.
func child(does string) {
	switch does {
	case liveMode:
		if err := live(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	case "report":
	case "setenv":
		for _, name := range []string{"GOMAXPROCS", "GOMEMLIMIT", "GOGC"} {
			if err := os.Setenv(name, "7"); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	case "code":
		setProcs(3)
		debug.SetMemoryLimit(1 << 30)
		debug.SetGCPercent(-5)
	default:
		fmt.Fprintf(os.Stderr, "%s=%q is unknown\n", childEnv, does)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(runtimex.Current()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
