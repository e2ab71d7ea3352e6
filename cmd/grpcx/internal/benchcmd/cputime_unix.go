//go:build unix

package benchcmd

import (
	"syscall"
	"time"
)

// cpuTime is the user and system time of this process, see getrusage(2).
func cpuTime() (time.Duration, error) {
	var ru syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano()), err
}
