package benchcmd

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
)

const long = `Measure what serving gRPC with this SDK costs on this machine.

The loads, each measured --runs times for --duration:

%s
The server has every default of the SDK and runs in a process of its own; its
CPU time, allocations and memory are those of that process alone. Rates and
latencies are of server and client together, which share the machine: compare
them only with those of a machine with as many CPUs. Both ends are on loopback.
TLS is 1.3 with client certificates, all keys ECDSA P-256, made for the run and
removed after it. Where the kernel cannot start a program of this architecture
by itself, as under qemu-user, the variable GRPCX_EMULATOR names the emulator.

The table and the JSON give the median of the runs and their range, and the
facts of the machine that explain them. --compare adds the ratio to an earlier
JSON and a verdict: "better" or "worse" where the ranges of at least three runs
on both sides do not overlap, "unclear" otherwise. Any machine and version
can be compared with; the table lists what was different.

-o json is one object: schema, time, machine, software, settings and results;
compared_with, ratio and verdict are there with --compare. A result has the
metrics of a load, with median, min, max and the values of all runs. Keys are
stable within a schema, to which some may be added.

Exit codes:
  0  measured
  1  the server could not be started, a call failed, or it was interrupted
  2  wrong flags, or a --compare file that cannot be used; nothing was measured`

const example = `  # Everything, in about a minute and a half
  grpcx bench

  # A quick look at some of it
  grpcx bench --duration 200ms --runs 3 --only 'handshake-*,idle-tls'

  # Keep the figures of one machine or version, and compare another with them
  grpcx bench -o json > before.json
  grpcx bench --compare before.json`

// Bounds of the flags. A measurement that is shorter says nothing, and one that
// is longer no more than several.
const (
	minDuration, maxDuration = 10 * time.Millisecond, time.Minute
	maxRuns                  = 100
)

// emulatorVariable names the program that runs this one.
const emulatorVariable = "GRPCX_EMULATOR"

// options are the flags.
type options struct {
	duration time.Duration
	runs     int
	only     string
	output   cli.Format
	compare  string
	progress bool
}

// New makes the command.
func New(streams cli.Streams) *cobra.Command {
	o := options{duration: 2 * time.Second, runs: 5}
	cmd := &cobra.Command{
		Use:     "bench",
		Short:   "Measure what serving costs on this machine",
		Long:    fmt.Sprintf(long, listing(allLoads())),
		Example: example,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cli.Usagef("bench: unexpected argument %q; there are only flags, see %q", args[0], "grpcx bench --help")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("progress") {
				o.progress = isTerminal(streams.Err)
			}
			for _, f := range []struct{ flag, value string }{{"only", o.only}, {"compare", o.compare}} {
				if f.value == "" && cmd.Flags().Changed(f.flag) {
					return cli.Usagef("bench: --%s is empty; give it a value, or leave it out", f.flag)
				}
			}
			return run(cmd.Context(), streams, o)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.DurationVar(&o.duration, "duration", o.duration, "how long each load runs, from 10ms to 1m; before it comes a warm-up of a quarter of it, 500ms at most")
	flags.IntVar(&o.runs, "runs", o.runs, "how often each load is measured, from 1 to 100; each run starts new servers")
	flags.StringVar(&o.only, "only", "", "measure only the loads that match these `patterns`, separated by commas, such as 'unary-*'")
	flags.StringVar(&o.compare, "compare", "", "`file` with an earlier result, written with -o json, to compare with")
	flags.BoolVar(&o.progress, "progress", false, "tell the progress on the standard error (default: if that is a terminal)")
	cli.OutputVar(cmd, &o.output)
	cmd.AddCommand(newServe(streams))
	return cmd
}

// run checks everything before it measures anything, and writes only at the
// end.
func run(ctx context.Context, streams cli.Streams, o options) error {
	if o.duration < minDuration || o.duration > maxDuration {
		return cli.Usagef("bench: --duration %v is out of range; use one from %v to 1m", o.duration, minDuration)
	}
	if o.runs < 1 || o.runs > maxRuns {
		return cli.Usagef("bench: --runs %d is out of range; use a number from 1 to %d", o.runs, maxRuns)
	}
	loads, err := selectLoads(o.only)
	if err != nil {
		return err
	}
	var earlier *report
	if o.compare != "" {
		if earlier, err = readReport(o.compare); err != nil {
			return err
		}
		if !earlier.hasOneOf(loads) {
			return cli.Usagef("bench: --compare %s has none of the loads to measure; it has %s: name them with --only", o.compare, earlier.loadNames())
		}
	}
	executable, err := os.Executable()
	if err != nil {
		return cli.Exit(cli.Failed, fmt.Errorf("bench: %w; the server is this program started again, call it by its full path", err))
	}
	program := []string{executable}
	if emulator := os.Getenv(emulatorVariable); emulator != "" {
		program = []string{emulator, executable}
	}
	bench := &bench{program: program, duration: o.duration, runs: o.runs, loads: loads}
	if o.progress {
		bench.progress = newProgress(streams.Err)
	}
	result, err := bench.run(ctx)
	bench.progress.end()
	if err != nil {
		return cli.Exit(cli.Failed, fmt.Errorf("bench: %w", err))
	}
	if earlier != nil {
		result.compareWith(earlier, o.compare)
	}
	write := result.writeTable
	if o.output == cli.JSON {
		write = result.writeJSON
	}
	if err := write(streams.Out); err != nil {
		return cli.Exit(cli.Failed, fmt.Errorf("bench: the result could not be written: %w; see that the output stays open and has room", err))
	}
	return nil
}
