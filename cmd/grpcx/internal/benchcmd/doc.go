// Package benchcmd is grpcx bench: it measures what serving costs on a machine,
// and compares that with what was measured elsewhere or earlier.
//
// The server is a process of its own, the same executable with a hidden
// command, so that its CPU time is its own. It reports what it used over its
// standard output, so that asking is no RPC. The calling process is its client,
// over loopback TCP, with a fixed number of connections and of calls in flight:
// figures of two machines are of the same load.
//
// Every run starts new servers, because some differences between processes,
// such as where their memory lies, last as long as the process. Nothing is
// discarded: the report has the value of every run.
package benchcmd
