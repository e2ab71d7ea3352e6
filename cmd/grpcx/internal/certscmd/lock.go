package certscmd

import (
	"context"
	"errors"
	"time"
)

const (
	lockWait = 30 * time.Second
	lockPoll = 10 * time.Millisecond
)

// errLocked is what tryLock returns when somebody else has the lock.
var errLocked = errors.New("is locked")

// lock takes the advisory lock of a directory. It ends with the process.
func lock(ctx context.Context, dir string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	for {
		switch unlock, err := tryLock(dir); {
		case err == nil:
			return unlock, nil
		case !errors.Is(err, errLocked):
			return nil, failf("certificate authority %q cannot be locked: %w; keep it on a file system with locks that this user may write", dir, cause(err))
		}
		select {
		case <-ctx.Done():
			return nil, failf("certificate authority %q is locked by another process; wait for it, or end it", dir)
		case <-time.After(lockPoll):
		}
	}
}
