// Package healthcmd is "grpcx health": it asks a server for its health
// (grpc.health.v1, see
// https://github.com/grpc/grpc/blob/master/doc/health-checking.md) and tells
// why there is no answer: no connection, TLS, the call, or the service.
package healthcmd
