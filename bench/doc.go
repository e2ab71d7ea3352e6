// Package bench measures what a server of this SDK costs beside bare grpc-go,
// with each of its features off in turn, and beside other frameworks.
//
//	go run ./cmd/bench                          # a Markdown table per load
//	go run ./cmd/bench -peers -rounds 7 -out d  # the peers too; and plots
//	go run ./cmd/bench -list                    # stacks and loads, for the flags
//
// Every stack is a server process of its own, started by running the program
// again ([ServeIfChild]); the peers are programs of a module of their own. The
// calling process is the client of all of them, over loopback TCP.
// A process measures itself, with getrusage and runtime.MemStats, and tells the
// client over a pipe, so that the measurement is no RPC.
//
// What disturbs a machine disturbs it for a while. So the servers get their
// load in small chunks in random order, after a forced garbage collection each,
// and are compared with the bare server of the same round only; every round
// starts new processes. A second bare server shows how much of a difference is
// noise. Nothing is discarded: tables give the median over the rounds, and the
// minimum and maximum.
//
// The figures are of the server alone: its CPU time, user and system, its heap
// allocations, and, for idle connections, its heap and stacks after garbage
// collection. Latencies, of the paced load only, are the client's, from the
// moment it makes the call.
//
// The servers trace 1 % of the calls, or what their name says, into a batching
// processor whose spans go nowhere, and have a meter that nobody reads. Where
// the load sends a traceparent, it is sampled in 1 % of the calls and the
// servers follow it. Logs of errors go to the null device. The Go runtime is as
// it comes: grpcx serves with Serve, which, unlike Run, does not tune it.
package bench
