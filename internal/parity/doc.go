// Package parity holds tests alone: they make the same calls to a grpc.Server
// with otelgrpc and to a server of package grpcx, each with its own SDK of
// OpenTelemetry, and compare everything that was recorded and everything that
// the handlers saw. Where the two differ on purpose, the test says so with the
// reason; a difference that is no longer there fails it too.
package parity
