package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/grpcx-go/sdk/bench/server"
)

// Program is an executable that serves stacks.
type Program struct {
	Path   string
	Stacks []string
}

// Self is the running program, which calls ServeIfChild.
func Self() (Program, error) {
	path, err := os.Executable()
	if err != nil {
		return Program{}, err
	}
	p := Program{Path: path}
	for _, s := range stacks() {
		p.Stacks = append(p.Stacks, s.Name)
	}
	return p, nil
}

// BuildPeers compiles the programs of the peers, which are a module of their
// own below this one, into dir. It needs the sources: run it in the checkout.
func BuildPeers(ctx context.Context, dir string) ([]Program, error) {
	source, err := output(exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/grpcx-go/sdk/bench"))
	if err != nil {
		return nil, fmt.Errorf("the sources of the peers are found from the bench directory of the SDK; run it there: %w", err)
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", dir+string(filepath.Separator), "./...")
	build.Dir = filepath.Join(strings.TrimSpace(string(source)), "peers")
	if _, err := output(build); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	programs := make([]Program, len(files))
	for i, file := range files {
		if programs[i], err = programAt(ctx, filepath.Join(dir, file.Name())); err != nil {
			return nil, err
		}
	}
	return programs, nil
}

// programAt asks an executable for its stacks.
func programAt(ctx context.Context, path string) (Program, error) {
	env, err := environment(server.Order{List: true})
	if err != nil {
		return Program{}, err
	}
	list := exec.CommandContext(ctx, path)
	list.Env = env
	text, err := output(list)
	if err != nil {
		return Program{}, err
	}
	p := Program{Path: path}
	return p, (&replies{lines: bufio.NewReader(bytes.NewReader(text))}).next(&p.Stacks)
}

func environment(order server.Order) ([]string, error) {
	text, err := json.Marshal(order)
	return append(os.Environ(), server.EnvVar+"="+string(text)), err
}

// output is that of cmd, whose standard error becomes part of the error.
func output(cmd *exec.Cmd) ([]byte, error) {
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, exit.Stderr)
	}
	return out, err
}
