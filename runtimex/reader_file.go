package runtimex

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"slices"
	"syscall"
)

// maxFile bounds what is read of one file. The largest, mountinfo, has a line
// of at most a few pages for each mount.
const maxFile = 16 << 20

// kernelFile is a file of procfs or cgroupfs that stays open between reads, so
// that reading it again costs one or two system calls and no path walk.
type kernelFile struct {
	name string // as fs.FS spells it
	open fs.File
	seek io.Seeker // open as a Seeker; nil where it cannot, then it is reopened
}

// opened says whether the last read found the file.
func (f *kernelFile) opened() bool { return f.open != nil }

// path is the absolute path, for people.
func (f *kernelFile) path() string { return "/" + f.name }

// rewind makes the next read start at the beginning, where the kernel produces
// the content anew.
func (f *kernelFile) rewind(fsys fs.FS) error {
	if f.open != nil && f.seek != nil {
		if _, err := f.seek.Seek(0, io.SeekStart); err == nil {
			return nil
		}
	}
	f.close()
	open, err := fsys.Open(f.name)
	if err != nil {
		return err
	}
	f.open = open
	f.seek, _ = open.(io.Seeker)
	return nil
}

// line returns the content of a file of one line. It reads no further than
// needed: what one system call returns is consistent, and a second might
// return the end of a newer content.
func (f *kernelFile) line(fsys fs.FS, buf *[]byte) ([]byte, error) {
	return f.read(fsys, buf, true)
}

// all returns the whole content.
func (f *kernelFile) all(fsys fs.FS, buf *[]byte) ([]byte, error) {
	return f.read(fsys, buf, false)
}

// read returns content that is valid until the next read into buf.
func (f *kernelFile) read(fsys fs.FS, buf *[]byte, oneLine bool) ([]byte, error) {
	if err := f.rewind(fsys); err != nil {
		return nil, err
	}
	b := (*buf)[:0]
	for {
		n, err := f.open.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if oneLine && bytes.IndexByte(b[len(b)-n:], '\n') >= 0 {
			return b, nil
		}
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			f.close()
			return nil, err
		}
		if len(b) >= maxFile {
			f.close()
			return nil, errFileTooLarge
		}
		if len(b) == cap(b) {
			b = slices.Grow(b, len(b)+1)
			*buf = b
		}
	}
}

var errFileTooLarge = errors.New("larger than any file of the kernel should be")

// close forgets the open file, if there is one.
func (f *kernelFile) close() {
	if f.open != nil {
		_ = f.open.Close() // it was only read
	}
	f.open, f.seek = nil, nil
}

// gone says whether err means that the group of an open file was removed, or
// its controller switched off.
func gone(err error) bool {
	return errors.Is(err, syscall.ENODEV) || errors.Is(err, fs.ErrNotExist)
}
