package doctorcmd

import (
	"os"
	"syscall"
	"time"
)

// Of adjtimex(2), which package syscall does not name.
const (
	timeError = 5    // TIME_ERROR: the clock is not synchronised
	staUnsync = 0x40 // STA_UNSYNC
)

// readNTP asks without setting anything, which needs no privilege, though a
// seccomp profile may refuse it.
func readNTP() (ntpState, error) {
	var t syscall.Timex
	state, err := syscall.Adjtimex(&t)
	if err != nil {
		return ntpState{}, os.NewSyscallError("adjtimex", err)
	}
	return ntpState{
		synchronized: state != timeError && t.Status&staUnsync == 0,
		maxError:     time.Duration(t.Maxerror) * time.Microsecond,
	}, nil
}

// tryInotify makes and closes an instance, as a watcher of files does.
func tryInotify() error {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("inotify_init1", err)
	}
	return syscall.Close(fd)
}
