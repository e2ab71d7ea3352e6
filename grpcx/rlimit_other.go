//go:build !unix

package grpcx

// fileLimit returns 0: the system has no RLIMIT_NOFILE.
func fileLimit() uint64 { return 0 }
