package server

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

// Stack is one way to build a server.
type Stack struct {
	Name string
	// Serve serves what [Register] registers until the process ends.
	Serve func(*Env) error
}

// Main is the main function of a program that does nothing but serve.
func Main(stacks ...Stack) {
	ServeIfChild(stacks...)
	fmt.Fprintln(os.Stderr, "this is started by the bench command: cd bench && go run ./cmd/bench -peers")
	os.Exit(2)
}

// ServeIfChild does what the [Order] in the environment says and never
// returns. Without an order it returns at once.
func ServeIfChild(stacks ...Stack) {
	text, ok := os.LookupEnv(EnvVar)
	if !ok {
		return
	}
	if err := obey(text, stacks, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "server process %s: %v\n", text, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func obey(text string, stacks []Stack, in io.Reader, out io.Writer) error {
	var order Order
	if err := json.Unmarshal([]byte(text), &order); err != nil {
		return fmt.Errorf("%s is no order: %w", EnvVar, err)
	}
	if order.List {
		names := make([]string, len(stacks))
		for i, s := range stacks {
			names[i] = s.Name
		}
		return reply(out, names)
	}
	for _, s := range stacks {
		if s.Name == order.Stack {
			return serve(s, order, in, out)
		}
	}
	return fmt.Errorf("%s names no stack of this program: %q", EnvVar, order.Stack)
}

func serve(s Stack, order Order, in io.Reader, out io.Writer) (err error) {
	env, err := newEnv(order.CertDir)
	if err != nil {
		return err
	}
	if order.CPUProfile != "" {
		stop, err := profileTo(order.CPUProfile)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	ended := make(chan error, 2)
	addr := env.listener.Addr().String() // before a stack takes the listener
	go func() { ended <- fmt.Errorf("stopped serving: %w", s.Serve(env)) }()
	go func() { ended <- answer(addr, in, out) }()
	return <-ended
}

func profileTo(name string) (stop func() error, err error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}

func answer(addr string, in io.Reader, out io.Writer) error {
	if err := accepting(addr); err != nil {
		return err
	}
	if err := reply(out, Hello{addr}); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		switch lines.Text() {
		case ReadSettled:
			runtime.GC()
			runtime.GC()
		case ReadAfterGC:
			runtime.GC()
		}
		usage, err := readUsage()
		if err != nil {
			return err
		}
		if err := reply(out, usage); err != nil {
			return err
		}
	}
	return lines.Err()
}

// reply writes a marked line, in one piece.
func reply(out io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, Mark+string(text)+"\n")
	return err
}

// accepting returns when something listens at addr: a stack that opens its own
// listener takes a moment.
func accepting(addr string) error {
	const patience = 10 * time.Second
	deadline := time.Now().Add(patience)
	for {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not serving after %v: %w", patience, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
