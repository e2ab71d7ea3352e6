//go:build !linux

package grpcx

import "net"

// wrapConn wraps an accepted connection. TCP_USER_TIMEOUT and grpc-go's reads
// that pin no memory exist on Linux only.
func wrapConn(raw net.Conn, table *connTable) (net.Conn, *conn) {
	c := new(conn)
	c.init(raw, table)
	return c, c
}
