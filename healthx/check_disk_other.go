//go:build !darwin && !dragonfly && !freebsd && !linux

package healthx

import (
	"errors"
	"fmt"
	"runtime"
)

func freeBytes(string) (uint64, error) {
	return 0, fmt.Errorf("not supported on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
