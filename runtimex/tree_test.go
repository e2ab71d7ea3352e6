package runtimex_test

import (
	"fmt"
	"io"
	"io/fs"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/grpcx-go/sdk/runtimex"
)

// tree is a machine with a cgroup v2 hierarchy whose limits a test changes.
type tree struct {
	mu    sync.Mutex
	files fstest.MapFS
}

// newTree puts the process into the group at path, such as "/pod/app".
func newTree(path string) *tree {
	t := &tree{files: fstest.MapFS{}}
	t.write("proc/self/mountinfo", "31 23 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n")
	t.write("proc/meminfo", "MemTotal:       16777216 kB\nMemFree:         1000 kB\n")
	t.move(path)
	return t
}

func (t *tree) write(name, content string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.files[name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
}

// Open implements fs.FS. A file that is open keeps its content, as a file of
// the kernel would not; readers open again what they cannot read at an offset.
func (t *tree) Open(name string) (fs.File, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, err := t.files.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		return &treeFile{File: f, tree: t, name: name}, nil
	}
	return f, nil
}

// treeFile reads what the file contains now.
type treeFile struct {
	fs.File
	tree *tree
	name string
}

func (f *treeFile) ReadAt(b []byte, off int64) (int, error) {
	f.tree.mu.Lock()
	defer f.tree.mu.Unlock()
	now, err := f.tree.files.Open(f.name)
	if err != nil {
		return 0, fs.ErrNotExist
	}
	return now.(io.ReaderAt).ReadAt(b, off)
}

// move puts the process into the group at path, which need not have a
// controller.
func (t *tree) move(path string) {
	t.write("sys/fs/cgroup"+path+"/cgroup.procs", "1\n")
	t.write("proc/self/cgroup", "0::"+path+"\n")
}

// cpu sets the quota of a group in CPUs; 0 is none.
func (t *tree) cpu(path string, cpus float64) {
	text := "max 100000\n"
	if cpus > 0 {
		text = fmt.Sprintf("%d 100000\n", int(cpus*100000))
	}
	t.write("sys/fs/cgroup"+path+"/cpu.max", text)
}

// memory sets the limits of a group in MiB; 0 is none.
func (t *tree) memory(path string, limit, high int) {
	t.write("sys/fs/cgroup"+path+"/memory.max", mebibytes(limit))
	t.write("sys/fs/cgroup"+path+"/memory.high", mebibytes(high))
}

func mebibytes(n int) string {
	if n == 0 {
		return "max\n"
	}
	return fmt.Sprintf("%d\n", n<<20)
}

// apply applies to a fake host and undoes it when the test ends.
func apply(t *testing.T, h runtimex.FakeHost, opts ...runtimex.Option) *runtimex.Controller {
	t.Helper()
	c, err := h.Apply(append([]runtimex.Option{runtimex.WithLogger(discard)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Undo)
	return c
}
