//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package certscmd

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks the directory itself.
func tryLock(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return func() { _ = d.Close() }, nil
	}
	_ = d.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return nil, errLocked
	}
	return nil, err
}
