//go:build unix

package grpcx

import "golang.org/x/sys/unix"

// fileLimit returns the soft limit of open files (RLIMIT_NOFILE), which the Go
// runtime has already raised to the hard one, or 0 where it is unknown.
func fileLimit() uint64 {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return 0
	}
	return uint64(lim.Cur) //nolint:unconvert // it is signed on FreeBSD
}
