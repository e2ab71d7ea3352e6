// Command vmtest tests packages on the arm64 kernels that it is given; run it
// through scripts/vm.sh, which finds qemu, kernels and a C compiler.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grpcx-go/sdk/internal/vmtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "vmtest:", err)
		}
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	machine  vmtest.QEMU
	kernels  []kernel
	out      string
	cc       string
	race     string
	run      string
	env      []string
	short    bool
	verbose  bool
	parallel int
	timeout  time.Duration
	patterns []string
}

// kernel is a kernel and the page size that it has to have.
type kernel struct {
	pageSize int
	image    string
}

func parse(args []string) (*settings, error) {
	s := &settings{}
	fs := flag.NewFlagSet("vmtest", flag.ContinueOnError)
	fs.StringVar(&s.machine.Binary, "qemu", "qemu-system-aarch64", "the qemu `command`")
	fs.StringVar(&s.machine.CPU, "cpu", "neoverse-n1", "`model` of the processor")
	fs.IntVar(&s.machine.CPUs, "cpus", 8, "`number` of processors")
	fs.IntVar(&s.machine.Memory, "memory", 2048, "memory in `MiB`")
	fs.Func("kernel", "a kernel, as the size of its pages and the file: `4096=vmlinuz`; repeat it for more", func(v string) error {
		size, image, ok := strings.Cut(v, "=")
		n, err := strconv.Atoi(size)
		if err != nil || !ok || image == "" {
			return errors.New("want the size of its pages in bytes and its file, such as 4096=vmlinuz")
		}
		s.kernels = append(s.kernels, kernel{n, image})
		return nil
	})
	fs.StringVar(&s.out, "out", "", "`directory` for what is built; by default one that is removed at the end")
	fs.StringVar(&s.race, "race", "", "`packages`, comma-separated, to test also with the race detector, on kernels with pages of 4096 bytes")
	fs.StringVar(&s.cc, "cc", "aarch64-linux-gnu-gcc", "the C `compiler` for the race detector")
	fs.StringVar(&s.run, "run", "", "run only the tests that match the `expression`")
	fs.Func("env", "a variable for the tests, as `NAME=value`; repeat it for more", func(v string) error {
		if name, _, ok := strings.Cut(v, "="); !ok || name == "" {
			return errors.New("want NAME=value")
		}
		s.env = append(s.env, v)
		return nil
	})
	fs.BoolVar(&s.short, "short", false, "leave out the tests that take long or measure, as -race does anyway")
	fs.BoolVar(&s.verbose, "v", false, "print the name of every test")
	// More tests at a time than the host can run make each other time out.
	fs.IntVar(&s.parallel, "parallel", runtime.NumCPU(), "`number` of tests that may run at a time")
	fs.DurationVar(&s.timeout, "timeout", 15*time.Minute, "`time` for the tests on one kernel")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	s.patterns = fs.Args()
	switch {
	case len(s.kernels) == 0:
		return nil, errors.New("no -kernel is given")
	case len(s.patterns) == 0 && s.race == "":
		return nil, errors.New("no packages are given")
	}
	return s, nil
}

func run(ctx context.Context, args []string) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	if s.out == "" {
		if s.out, err = os.MkdirTemp("", "vmtest"); err != nil {
			return err
		}
		defer os.RemoveAll(s.out)
	}
	if s.out, err = filepath.Abs(s.out); err != nil {
		return err
	}
	if err := os.MkdirAll(s.out, 0o750); err != nil {
		return err
	}
	builder := &vmtest.Builder{Root: root, Out: s.out}
	failed := 0
	for _, k := range s.kernels {
		suites := s.suites(k)
		if len(suites) == 0 {
			continue
		}
		start := time.Now()
		rd, err := builder.Build(ctx, suites)
		if err != nil {
			return err
		}
		built := time.Since(start)
		failures, err := s.boot(ctx, k, rd)
		if err != nil {
			return fmt.Errorf("kernel %s: %w", filepath.Base(k.image), err)
		}
		failed += failures
		fmt.Printf("%s: %d of %d passed, %.0f s to build, %.0f s to run\n\n", filepath.Base(k.image),
			len(rd.Plan.Jobs)-failures, len(rd.Plan.Jobs), built.Seconds(), (time.Since(start) - built).Seconds())
	}
	if failed > 0 {
		return fmt.Errorf("%d failed", failed)
	}
	return nil
}

// racePages is the size of the pages with which the race detector works: it
// supports 48-bit addresses, and with pages of 16 KiB there are 47 bits
// ("ThreadSanitizer: unsupported VMA range").
const racePages = 4096

// suites returns what to run on a kernel.
func (s *settings) suites(k kernel) []vmtest.Suite {
	flags := []string{"-test.timeout=" + s.timeout.String(), "-test.parallel=" + strconv.Itoa(s.parallel)}
	if s.run != "" {
		flags = append(flags, "-test.run="+s.run)
	}
	if s.verbose {
		flags = append(flags, "-test.v")
	}
	var suites []vmtest.Suite
	short := append(slices.Clone(flags), "-test.short")
	if s.short {
		flags = short
	}
	if len(s.patterns) > 0 {
		suites = append(suites, vmtest.Suite{Patterns: s.patterns, Flags: flags, Env: s.env})
	}
	if s.race != "" && k.pageSize == racePages {
		// The detector finds races, not figures.
		suites = append(suites, vmtest.Suite{Patterns: strings.Split(s.race, ","), Race: true, CC: s.cc, Flags: short, Env: s.env})
	}
	return suites
}

// boot runs the plan on one kernel and returns how many jobs failed.
func (s *settings) boot(ctx context.Context, k kernel, rd *vmtest.Initrd) (int, error) {
	machine := s.machine
	machine.Kernel, machine.Initrd = k.image, filepath.Join(s.out, "initrd")
	f, err := os.Create(machine.Initrd)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(rd.Write(f), f.Close()); err != nil {
		return 0, err
	}
	fmt.Printf("== %s, -cpu %s, %d CPUs, %d MiB\n", filepath.Base(k.image), machine.CPU, machine.CPUs, machine.Memory)
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	report, err := machine.Run(ctx, rd.Plan, os.Stdout)
	if err != nil {
		return 0, err
	}
	if got := report.Machine.PageSize; got != k.pageSize {
		return 0, fmt.Errorf("it has pages of %d bytes, not the %d that it was given for", got, k.pageSize)
	}
	return len(report.Failures), nil
}
