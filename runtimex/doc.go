// Package runtimex reports what the Go runtime decided about this process:
// how many threads run Go code at once (GOMAXPROCS), how much memory the
// collector aims to stay under (GOMEMLIMIT), and how eagerly it collects
// (GOGC), each with where the value came from and why.
//
//	slog.Info("starting", "runtime", runtimex.Current())
//
// The package only reads. Importing it and calling [Current] change nothing:
// the runtime's own tracking of cgroup CPU limits stays on, which any call of
// runtime.GOMAXPROCS with a positive number would switch off for good.
//
// # What can be known
//
// The runtime publishes the values but not their origin, so the origin is
// inferred by comparing each value with what the environment asked for when
// the process started, read by the runtime's own rules:
//
//   - [SourceEnv]: the environment asked for exactly this value.
//   - [SourceCode]: the value differs from what the environment, or the
//     built-in default where there is one, would give. Only the program can
//     have changed it.
//   - [SourceRuntime]: the runtime's default. For GOMAXPROCS that default
//     follows the CPU count, the affinity mask and, on Linux, the cgroup
//     quota, and may move while the process runs; a program that set its own
//     value looks the same, and the reason says so.
//
// A change made with [os.Setenv] after the start has no effect on the runtime
// and none on the report.
package runtimex
