package tlsx

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// explainWatch adds the remedy where there is one.
func explainWatch(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fmt.Errorf("file events are not available: %w; raise fs.inotify.max_user_watches and fs.inotify.max_user_instances, or the limit of open files", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("file events are not available: %w; let the user that runs this process read the directory", err)
	}
	return fmt.Errorf("file events are not available: %w", err)
}
