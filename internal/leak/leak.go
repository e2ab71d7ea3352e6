// Package leak fails a test package whose tests leave goroutines behind.
package leak

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// grace is how long goroutines may take to end after the last test.
const grace = 5 * time.Second

// Main runs the tests of a package and then waits for every goroutine that
// they started to end. Those still alive after a few seconds are printed and
// fail the package. Call it from TestMain. The functions are called after the
// last test.
func Main(m *testing.M, atEnd ...func()) {
	code := m.Run()
	for _, end := range atEnd {
		end()
	}
	if code == 0 {
		if left := wait(grace); len(left) > 0 {
			fmt.Fprintf(os.Stderr, "leak: %d goroutines outlived the tests:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
			code = 1
		}
	}
	os.Exit(code)
}

func wait(limit time.Duration) []string {
	deadline := time.Now().Add(limit)
	for {
		left := running()
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		runtime.Gosched()
		time.Sleep(10 * time.Millisecond)
	}
}

// running returns the stacks of all goroutines but this one and those that
// belong to the test binary itself.
func running() []string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	stacks := strings.Split(string(buf), "\n\n")
	var left []string
	for _, s := range stacks[1:] { // the first is the caller
		if !expected(s) {
			left = append(left, s)
		}
	}
	return left
}

func expected(stack string) bool {
	for _, part := range []string{
		"testing.(*M).", "testing.(*T).", "testing.runFuzz", "testing.tRunner",
		"runtime.goexit0", "os/signal.signal_recv", "os/signal.loop",
		"runtime/trace.Start", "runtime.ReadTrace", "created by testing.",
		// Started once for the process by grpc's global state.
		"internal/grpcsync.(*CallbackSerializer).run",
	} {
		if strings.Contains(stack, part) {
			return true
		}
	}
	return false
}
