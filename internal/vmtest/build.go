package vmtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// Suite is a set of packages to test in one way.
type Suite struct {
	// Patterns are arguments of go list.
	Patterns []string
	// Race builds with the race detector, with the C compiler CC.
	Race bool
	CC   string
	// Flags go to every test binary, and Env into its environment.
	Flags, Env []string
}

// raceExit is what a program exits with after the detector reported a race.
const raceExit = 66

// Builder builds programs for the machine with the go command of the host.
type Builder struct {
	// Root is the directory of the module, Out an existing directory for the
	// programs; both are absolute.
	Root, Out string
}

// Build builds everything that a machine needs to run the suites.
func (b *Builder) Build(ctx context.Context, suites []Suite) (*Initrd, error) {
	rd := &Initrd{Init: filepath.Join(b.Out, "init"), Programs: map[string]string{}, Packages: map[string]string{}}
	if err := b.compile(ctx, Suite{}, rd.Init, "build", "./internal/vmtest/init"); err != nil {
		return nil, err
	}
	for _, s := range suites {
		if s.Race {
			// First, because without it the passing of the rest says nothing.
			program := filepath.Join(b.Out, "racecheck")
			if err := b.compile(ctx, s, program, "build", "./internal/vmtest/race"); err != nil {
				return nil, err
			}
			rd.Programs["/bin/racecheck"] = program
			rd.Plan.Jobs = append(rd.Plan.Jobs, Job{
				Name: "self-check of the race detector", Argv: []string{"/bin/racecheck"}, Env: environment(s), Dir: "/tmp",
				Exit: raceExit, Output: "WARNING: DATA RACE",
			})
		}
		packages, err := b.list(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, p := range packages {
			if err := b.add(ctx, rd, s, p); err != nil {
				return nil, err
			}
		}
	}
	return rd, nil
}

// add builds the test binary of a package and plans its run.
func (b *Builder) add(ctx context.Context, rd *Initrd, s Suite, p listed) error {
	name, binary := p.path, strings.ReplaceAll(p.rel, "/", "_")+".test"
	if s.Race {
		name, binary = name+" -race", "race_"+binary
	}
	program := filepath.Join(b.Out, binary)
	if err := b.compile(ctx, s, program, "test", "-c", p.path); err != nil {
		return err
	}
	dir := path.Join("/src", p.rel)
	rd.Programs[path.Join("/bin", binary)] = program
	rd.Packages[dir] = p.dir
	rd.Plan.Jobs = append(rd.Plan.Jobs, Job{
		Name: name,
		Argv: append([]string{path.Join("/bin", binary)}, s.Flags...),
		Env:  environment(s),
		Dir:  dir,
	})
	return nil
}

func environment(s Suite) []string {
	return append([]string{"GRPCX_VM=1", "HOME=/tmp", "PATH=/bin"}, s.Env...)
}

// listed is a package that has tests.
type listed struct{ path, rel, dir string }

func (b *Builder) list(ctx context.Context, s Suite) ([]listed, error) {
	const format = "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}\t{{.Module.Path}}\t{{.Dir}}{{end}}"
	out, err := b.run(ctx, s, append([]string{"list", "-f", format}, s.Patterns...))
	if err != nil {
		return nil, err
	}
	var packages []listed
	for line := range strings.Lines(out) {
		field := strings.Split(strings.TrimSpace(line), "\t")
		if len(field) != 3 {
			continue
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(field[0], field[1]), "/")
		packages = append(packages, listed{path: field[0], rel: rel, dir: field[2]})
	}
	if len(packages) == 0 {
		return nil, fmt.Errorf("no package of %q has tests", s.Patterns)
	}
	return packages, nil
}

// compile runs go build or go test -c. The symbol tables for debuggers are
// left out: all of it has to fit into the memory of the machine.
func (b *Builder) compile(ctx context.Context, s Suite, out string, args ...string) error {
	args = append([]string{args[0], "-o", out}, args[1:]...)
	ldflags := "-s -w"
	if s.Race {
		ldflags += " -linkmode=external -extldflags=-static"
		args = append(args[:1], append([]string{"-race"}, args[1:]...)...)
	}
	args = append(args[:1], append([]string{"-buildvcs=false", "-ldflags=" + ldflags}, args[1:]...)...)
	_, err := b.run(ctx, s, args)
	return err
}

// run runs the go command for the machine.
func (b *Builder) run(ctx context.Context, s Suite, args []string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.Root
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "GOARM64=v8.0", "CGO_ENABLED=0")
	if s.Race {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=1", "CC="+s.CC)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", errors.Join(fmt.Errorf("go %s: %w", strings.Join(args, " "), err), errors.New(stderr.String()))
	}
	return stdout.String(), nil
}
