// Package bench measures what a server of this SDK costs per RPC, beside bare
// grpc-go and beside grpc-go with the same features assembled by hand.
//
//	go run ./cmd/overhead          # a Markdown table
//	go test -run '^$' -bench .     # the same as a Go benchmark
//
// Every stack is a server process of its own, started by running the program
// again ([ServeIfChild]); the calling process is the client of all of them, on
// plaintext loopback TCP. A process measures itself, with getrusage and
// runtime.MemStats, and tells the client over a pipe, so that the measurement
// is no RPC. What disturbs a machine disturbs it for a while: the servers get
// their load in small chunks in random order, after a forced garbage
// collection each, and are compared with the bare server of the same round
// only. A second bare server shows how much of a difference is noise.
//
// The figures are of the server alone: its CPU time, user and system, and its
// heap allocations.
package bench
