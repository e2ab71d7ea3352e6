// Package devcert makes certificates for development on one machine: a server's
// and a client's, for loopback names and addresses only, valid for a day.
//
//	authority, err := devcert.New()
//	...
//	srv, err := grpcx.New(grpcx.WithTLS(authority.ServerSource()))
//
// Nothing uses it unless a program says so, and [tlsx.Snapshot.Development]
// shows it. It changes no trust store of the machine.
//
// The authority can do no harm outside the machine: its certificate carries a
// critical name constraint (RFC 5280, section 4.2.1.10) that permits only
// localhost, names below it and loopback addresses, it can create no further
// authority, and its key never leaves memory and is forgotten once the two
// certificates are signed.
package devcert
