package tlsx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

const (
	// maxFileSize bounds a file. The largest public CA bundles are a quarter.
	maxFileSize = 1 << 20
	// maxCRLSize bounds a CRL: some 200,000 entries.
	maxCRLSize = 8 << 20
)

// readFile reads a regular file of at most maxCRLSize bytes, the largest that
// any role may be. It never blocks on a FIFO or a device. Its errors do not
// repeat the path.
func readFile(path string) ([]byte, error) {
	// Stat first: opening a device can have effects.
	info, err := os.Stat(path)
	if err != nil {
		return nil, explainOpen(err)
	}
	if err := mustBeRegular(info); err != nil {
		return nil, err
	}
	// The file may have been replaced by a FIFO since, so do not wait for a
	// writer, and look again at what was opened.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, explainOpen(err)
	}
	defer func() { _ = f.Close() }()
	if info, err = f.Stat(); err != nil {
		return nil, explainOpen(err)
	}
	if err := mustBeRegular(info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxCRLSize+1))
	if err != nil {
		return nil, explainOpen(err)
	}
	switch {
	case len(data) > maxCRLSize:
		return nil, tooLarge(maxCRLSize)
	case len(data) == 0:
		return nil, errors.New("the file is empty; write the PEM data to it before it is loaded")
	}
	return data, nil
}

func tooLarge(limit int) error {
	return fmt.Errorf("the file is larger than %d bytes; name a file with only what is needed", limit)
}

func mustBeRegular(info fs.FileInfo) error {
	mode := info.Mode()
	var kind string
	switch {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		kind = "a directory"
	case mode&fs.ModeNamedPipe != 0:
		kind = "a FIFO"
	case mode&fs.ModeSocket != 0:
		kind = "a socket"
	case mode&fs.ModeDevice != 0:
		kind = "a device"
	default:
		kind = "not a regular file"
	}
	return fmt.Errorf("the path is %s; name a regular file", kind)
}

// explainOpen drops the path that the os package put into err and adds a
// remedy. The cause stays reachable for errors.Is.
func explainOpen(err error) error {
	cause := err
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		cause = pathErr.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; check the path and that the volume is mounted", cause)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; let the user that runs this process read the file and search its directories", cause)
	}
	return fmt.Errorf("%w; check that the path can be read", cause)
}
