// Package conformance holds the server, with every default on, mutual TLS and
// telemetry that records, against the suites of others: the interop cases of
// grpc-go, connectconformance and h2spec, against clients in Python and
// JavaScript, and behind nginx and HAProxy. The server is woven differently from
// a bare grpc-go one; clients must not see a difference.
//
// The interop cases run with the other tests, the rest with
// `make test-conformance` only. docs/conformance.md has the figures.
package conformance
