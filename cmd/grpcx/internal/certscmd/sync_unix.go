//go:build unix

package certscmd

import (
	"errors"
	"os"
	"syscall"
)

// syncDir makes the names in a directory durable. Some file systems cannot and
// say so; a rename is then as durable as they make it.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}
