package vmtest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"strings"
)

// cpioWriter writes an archive in the "newc" format of cpio, which the kernel
// unpacks as its initial file system (Documentation/driver-api/early-userspace/
// buffer-format.rst in its source).
type cpioWriter struct {
	w    io.Writer
	at   int64
	ino  int
	made map[string]bool
}

func newCPIOWriter(w io.Writer) *cpioWriter {
	return &cpioWriter{w: w, made: map[string]bool{}}
}

const (
	modeDir  = 0o040000
	modeFile = 0o100000
	modeChar = 0o020000
)

// header is the part of an entry that differs between kinds.
type header struct {
	mode         int
	size         int64
	major, minor int // of a device
}

func (c *cpioWriter) entry(name string, h header, body io.Reader) error {
	if h.size > math.MaxUint32 {
		return fmt.Errorf("%s: %d bytes do not fit into a cpio archive", name, h.size)
	}
	c.ino++
	// Magic, inode, mode, uid, gid, links, mtime, size, device of the file,
	// device it stands for, size of the name with its NUL, checksum.
	_, err := fmt.Fprintf(c, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		c.ino, h.mode, 0, 0, 1, 0, h.size, 0, 0, h.major, h.minor, len(name)+1, 0, name)
	if err != nil {
		return err
	}
	if err := c.align(); err != nil {
		return err
	}
	if body != nil {
		n, err := io.Copy(c, io.LimitReader(body, h.size+1))
		if err != nil {
			return err
		}
		if n != h.size {
			return fmt.Errorf("%s changed while it was archived: not %d bytes", name, h.size)
		}
	}
	return c.align()
}

// Write counts, for align.
func (c *cpioWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.at += int64(n)
	return n, err
}

func (c *cpioWriter) align() error {
	_, err := c.Write(make([]byte, -c.at&3))
	return err
}

// clean turns an absolute path in the machine into the name of an entry, and
// makes the directories above it, which the kernel does not.
func (c *cpioWriter) clean(name string) (string, error) {
	rel := strings.TrimPrefix(path.Clean(name), "/")
	if !path.IsAbs(name) || rel == "" || strings.ContainsRune(rel, 0) {
		return "", fmt.Errorf("%q is no absolute path of a file", name)
	}
	if c.made[rel] {
		return "", fmt.Errorf("%s is already in the archive", name)
	}
	for i := range len(rel) {
		if rel[i] != '/' || c.made[rel[:i]] {
			continue
		}
		c.made[rel[:i]] = true
		if err := c.entry(rel[:i], header{mode: modeDir | 0o755}, nil); err != nil {
			return "", err
		}
	}
	c.made[rel] = true
	return rel, nil
}

// dir adds a directory, unless it is there.
func (c *cpioWriter) dir(name string) error {
	if c.made[strings.TrimPrefix(path.Clean(name), "/")] {
		return nil
	}
	rel, err := c.clean(name)
	if err != nil {
		return err
	}
	return c.entry(rel, header{mode: modeDir | 0o755}, nil)
}

// device adds a character device.
func (c *cpioWriter) device(name string, major, minor int) error {
	rel, err := c.clean(name)
	if err != nil {
		return err
	}
	return c.entry(rel, header{mode: modeChar | 0o600, major: major, minor: minor}, nil)
}

// bytes adds a file of mode 0644.
func (c *cpioWriter) bytes(name string, content []byte) error {
	rel, err := c.clean(name)
	if err != nil {
		return err
	}
	return c.entry(rel, header{mode: modeFile | 0o644, size: int64(len(content))}, strings.NewReader(string(content)))
}

// file adds a file of the host, executable or not.
func (c *cpioWriter) file(name, source string, executable bool) (err error) {
	f, err := os.Open(source)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	rel, err := c.clean(name)
	if err != nil {
		return err
	}
	mode := modeFile | 0o644
	if executable {
		mode |= 0o111
	}
	return c.entry(rel, header{mode: mode, size: info.Size()}, f)
}

// pkg adds the directory of a Go package as its tests see it: its files, and
// those below testdata.
func (c *cpioWriter) pkg(name string, fsys fs.FS) error {
	return fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		top, _, _ := strings.Cut(p, "/")
		target := path.Join(name, p)
		switch {
		case d.IsDir() && top != "." && top != "testdata":
			return fs.SkipDir
		case d.IsDir():
			return c.dir(target)
		case !d.Type().IsRegular():
			return nil
		}
		content, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		return c.bytes(target, content)
	})
}

// close ends the archive.
func (c *cpioWriter) close() error {
	if c.ino == 0 {
		return errors.New("the archive is empty")
	}
	return c.entry("TRAILER!!!", header{}, nil)
}
