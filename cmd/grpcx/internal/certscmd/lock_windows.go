package certscmd

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

const (
	fileFlagDeleteOnClose               = 0x04000000
	errorSharingViolation syscall.Errno = 32
)

// tryLock holds a file that nobody else may open meanwhile; it goes with the
// handle.
func tryLock(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, ".grpcx-lock")
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS,
		syscall.FILE_ATTRIBUTE_NORMAL|fileFlagDeleteOnClose, 0)
	switch {
	case err == nil:
		return func() { _ = syscall.CloseHandle(h) }, nil
	case errors.Is(err, errorSharingViolation), errors.Is(err, syscall.ERROR_ACCESS_DENIED): // the latter while it is being deleted
		if _, err := os.Stat(dir); err != nil {
			return nil, err
		}
		return nil, errLocked
	}
	return nil, err
}
