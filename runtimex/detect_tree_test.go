package runtimex_test

import (
	"io"
	"io/fs"
	"maps"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
)

// detectFS is a machine made of files whose content changes while they are
// open, as that of kernel files does: it is produced anew at offset 0.
type detectFS struct {
	mu     sync.Mutex
	files  map[string]string
	denied map[string]error // what opening fails with
	opens  map[string]int
	open   int
	// onOpen is called before a file is opened, without the lock.
	onOpen func(name string)
}

// detectTree reads files from text: lines "-- name --" begin one.
func detectTree(t testing.TB, texts ...string) *detectFS {
	t.Helper()
	d := &detectFS{files: map[string]string{}, denied: map[string]error{}, opens: map[string]int{}}
	for _, text := range texts {
		name := ""
		for line := range strings.Lines(text) {
			if head, ok := strings.CutPrefix(line, "-- "); ok {
				name, ok = strings.CutSuffix(head, " --\n")
				if !ok {
					t.Fatalf("bad head %q", line)
				}
				d.files[name] = ""
			} else if name != "" {
				d.files[name] += line
			}
		}
	}
	return d
}

func (d *detectFS) set(name, content string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[name] = content
}

// rmdir removes all files below a directory.
func (d *detectFS) rmdir(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.files, func(name, _ string) bool { return strings.HasPrefix(name, dir+"/") })
}

// deny makes opening fail.
func (d *detectFS) deny(name string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.denied[name] = err
}

func (d *detectFS) count(name string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.opens[name]
}

func (d *detectFS) leftOpen() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open
}

// Open implements fs.FS.
func (d *detectFS) Open(name string) (fs.File, error) {
	if d.onOpen != nil {
		d.onOpen(name)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.denied[name]; err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	d.opens[name]++
	if _, ok := d.files[name]; ok {
		d.open++
		return &detectFile{d: d, name: name}, nil
	}
	// Directories exist where there is a file below them.
	m := fstest.MapFS{}
	for file := range d.files {
		m[file] = &fstest.MapFile{}
	}
	return m.Open(name)
}

type detectFile struct {
	fs.File
	d       *detectFS
	name    string
	content string
	off     int
}

func (f *detectFile) Stat() (fs.FileInfo, error) {
	return fstest.MapFS{f.name: &fstest.MapFile{}}.Stat(f.name)
}

func (f *detectFile) Close() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.d.open--
	return nil
}

func (f *detectFile) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekStart {
		return 0, syscall.EINVAL
	}
	f.off = 0
	return 0, nil
}

func (f *detectFile) Read(b []byte) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.off == 0 {
		content, ok := f.d.files[f.name]
		if !ok {
			return 0, &fs.PathError{Op: "read", Path: f.name, Err: syscall.ENODEV}
		}
		f.content = content
	}
	if f.off == len(f.content) {
		return 0, io.EOF
	}
	n := copy(b, f.content[f.off:])
	f.off += n
	return n, nil
}
