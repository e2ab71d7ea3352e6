//go:build unix

package doctorcmd

import "syscall"

// fileLimits returns RLIMIT_NOFILE. The Go runtime raised the soft limit to the
// hard one when the process started, as it does in a server.
func fileLimits() (soft, hard uint64) {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0, 0
	}
	return uint64(limit.Cur), uint64(limit.Max) //nolint:unconvert // FreeBSD has int64
}
