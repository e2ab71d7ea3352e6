// Package runtimex keeps the Go runtime in step with the limits of the
// container it runs in: GOMAXPROCS with the CPU quota, GOMEMLIMIT with the
// memory limit, on every level of the control groups, while the process runs.
//
//	func main() {
//		tuning, err := runtimex.Apply()
//		if err != nil {
//			log.Fatal(err)
//		}
//		defer tuning.Undo()
//		...
//	}
//
// Run of package grpcx does this by itself. Importing the package changes
// nothing: only [Apply] does, until [Controller.Undo].
//
// # What is decided
//
// Since Go 1.25 the runtime follows the CPU quota of the process's own control
// group, rounded up and at least 2, and that is a good default, so it is left
// alone wherever it is right: a call of runtime.GOMAXPROCS would switch it off.
// Apply steps in where the runtime cannot know: when the tightest quota is an
// ancestor's, when the process was moved to another group or the controller
// was enabled after the start, when the main module was built with the older
// behaviour (godebug default=go1.24), or when options ask for something else. It
// steps back when the two agree again.
//
// The runtime never looks at memory limits. Apply sets its soft limit to the
// tightest memory.max and memory.high of all levels less a headroom, and
// follows every change. GOGC stays as it is unless [WithMode] is given.
//
// The environment wins: a valid GOMAXPROCS, GOMEMLIMIT or GOGC is not touched.
// What the program itself set before Apply is an upper bound, and what it sets
// afterwards stays.
//
// [Current] reports every setting with where it came from and why, [Detect] the
// limits and the levels they come from, and [Machine] the processor.
// docs/runtime.md has the decision table, what each environment gives, and the
// measurements behind the rules.
//
// # What can be known
//
// The runtime publishes its settings but not their origin. Where no controller
// decided, [Current] infers it by comparing the value with what the environment
// asked for when the process started, read by the runtime's own rules:
//
//   - [SourceEnv]: the environment asked for exactly this value.
//   - [SourceCode]: the value differs from what the environment, or the
//     built-in default where there is one, would give. Only the program can
//     have changed it.
//   - [SourceRuntime]: the runtime's default. For GOMAXPROCS that default
//     follows the CPU count, the affinity mask and, on Linux, the quota of the
//     process's own control group, and may move while the process runs; a
//     program that set its own value looks the same, and the reason says so.
//
// A change made with [os.Setenv] after the start has no effect on the runtime
// and none on the report.
//
// # Sources
//
// Control groups are read as the kernel documents them in
// https://docs.kernel.org/admin-guide/cgroup-v2.html and
// https://docs.kernel.org/admin-guide/cgroup-v1/index.html, quotas in
// https://docs.kernel.org/scheduler/sched-bwc.html and
// https://docs.kernel.org/accounting/psi.html.
package runtimex
