// Program oldmodule is built by TestLiveOldModule with a go.mod that asks for
// the GODEBUG defaults of Go 1.24. It understands the little of the child's
// protocol that the test uses.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/grpcx-go/sdk/runtimex"
)

func main() {
	var spec struct {
		Bare   bool
		Policy string
	}
	if err := json.Unmarshal([]byte(os.Getenv("RUNTIMEX_TEST_SPEC")), &spec); err != nil {
		log.Fatal(err)
	}
	if !spec.Bare {
		policy := runtimex.Native()
		if spec.Policy == "ceil" {
			policy = runtimex.Ceil()
		}
		_, err := runtimex.Apply(runtimex.WithPolicy(policy), runtimex.WithoutEvents(),
			runtimex.WithPollInterval(100*time.Millisecond), runtimex.WithLogger(slog.New(slog.DiscardHandler)))
		if err != nil {
			log.Fatal(err)
		}
	}
	out := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); ; {
		err := out.Encode(map[string]any{
			"State": map[string]any{"Procs": runtime.GOMAXPROCS(0), "Report": runtimex.Current()},
		})
		if err != nil || !lines.Scan() {
			return
		}
	}
}
