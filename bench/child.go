package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
)

// childEnv makes the program serve the stack that it names.
const childEnv = "GRPCX_BENCH_STACK"

// What the client writes, a line each; the reply is a Usage as JSON.
const (
	readAfterGC = "gc"
	read        = "read"
)

// hello is the first line that a server process writes.
type hello struct{ Addr string }

// ServeIfChild runs a server and never returns, where the process was started
// as one. Programs that measure call it first thing in main, or in TestMain.
func ServeIfChild() {
	name := os.Getenv(childEnv)
	if name == "" {
		return
	}
	if err := serveChild(name, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "server process %q: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serveChild serves until in ends, which it does with the client's process
// too, however that ended.
func serveChild(name string, in io.Reader, out io.Writer) error {
	serve, err := serverOf(name)
	if err != nil {
		return err
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- serve(lis) }()
	asked := make(chan error, 1)
	go func() { asked <- answer(lis.Addr(), in, out) }()
	select {
	case err := <-failed:
		return fmt.Errorf("stopped serving: %w", err)
	case err := <-asked:
		return err
	}
}

func serverOf(name string) (func(net.Listener) error, error) {
	for _, s := range stacks {
		if s.name == name {
			return s.serve, nil
		}
	}
	return nil, fmt.Errorf("%s=%q names no stack", childEnv, name)
}

func answer(addr net.Addr, in io.Reader, out io.Writer) error {
	replies := json.NewEncoder(out)
	if err := replies.Encode(hello{addr.String()}); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if lines.Text() == readAfterGC {
			runtime.GC()
		}
		usage, err := readUsage()
		if err != nil {
			return err
		}
		if err := replies.Encode(usage); err != nil {
			return err
		}
	}
	return lines.Err()
}
