// Package peers tests the server beside software that the module itself must
// not depend on: grpc/authz, and clients in Python (C-core) and JavaScript
// (grpc-js). The clients run with `make peers` only.
package peers
