//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package devcert

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

const (
	lockWait = 10 * time.Second
	lockPoll = 10 * time.Millisecond
)

// lock takes the directory's advisory lock and checks that only trusted users
// can put files into it. A file system without locks goes unlocked.
func lock(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("devcert: %w; name a directory that this user may read", err)
	}
	defer func() {
		if err != nil {
			_ = d.Close()
		}
	}()
	info, err := d.Stat()
	if err != nil {
		return nil, fmt.Errorf("devcert: %w", err)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return nil, fmt.Errorf("devcert: every user may write to %q and so replace its keys; use a directory of this user's own", dir)
	}
	for deadline := time.Now().Add(lockWait); ; time.Sleep(lockPoll) {
		err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil, !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return func() { _ = d.Close() }, nil
		case time.Now().After(deadline):
			return nil, fmt.Errorf("devcert: another process has held the lock of %q for %v; end it, or use another directory", dir, lockWait)
		}
	}
}
