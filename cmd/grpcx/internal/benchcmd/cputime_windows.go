package benchcmd

import (
	"syscall"
	"time"
)

// cpuTime is the user and kernel time of this process, see GetProcessTimes.
// Windows counts it in ticks of 15.6 ms, so that short measurements are coarse.
func cpuTime() (time.Duration, error) {
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		return 0, err
	}
	var created, ended, kernel, user syscall.Filetime
	err = syscall.GetProcessTimes(self, &created, &ended, &kernel, &user)
	return ticks(kernel) + ticks(user), err
}

// ticks converts a span, unlike Filetime.Nanoseconds, which is of a date.
func ticks(t syscall.Filetime) time.Duration {
	return time.Duration(int64(t.HighDateTime)<<32|int64(t.LowDateTime)) * 100
}
