package certscmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const maxInput = 1 << 20

// readInput reads a regular file of bounded size. The error is for the caller
// of the command, without the path.
func readInput(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, explain(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file; name one")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, explain(err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, explain(err)
	case int64(len(data)) > limit:
		return nil, fmt.Errorf("is larger than %d bytes; name a file with only what is needed", limit)
	}
	return data, nil
}

// explain drops the path from an error of package os and adds a remedy.
func explain(err error) error {
	cause := err
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		cause = e.Err
	} else if e, ok := errors.AsType[*os.LinkError](err); ok {
		cause = e.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; check the path", cause)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; let this user read and write there", cause)
	}
	return fmt.Errorf("%w; check the disk and the path", cause)
}

// replaceFile writes a file beside path, makes it durable and renames it, so
// that a reader, also after a crash, never sees half of it.
func replaceFile(path string, data []byte, mode fs.FileMode) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".grpcx-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // already closed if the rename failed
			_ = os.Remove(f.Name())
		}
	}()
	if err = fill(f, data, mode); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// createFile writes a file that must not exist, and makes it durable.
func createFile(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := fill(f, data, mode); err != nil {
		_ = f.Close()
		_ = os.Remove(path)
		return err
	}
	return nil
}

// fill writes, syncs and closes a file that has mode 0600 so far.
func fill(f *os.File, data []byte, mode fs.FileMode) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	if mode != 0o600 {
		if err := f.Chmod(mode); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}
