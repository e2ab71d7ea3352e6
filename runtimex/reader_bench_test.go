package runtimex_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

// BenchmarkReaderTick is what one poll costs: five levels of cgroup v2, four
// with all controllers, in real files, and this machine.
func BenchmarkReaderTick(b *testing.B) {
	b.Run("five levels", func(b *testing.B) {
		root := b.TempDir()
		tree := detectTree(b, detectMachine)
		tree.set("proc/self/cgroup", "0::/a.slice/b.slice/c.slice/d.service\n")
		tree.set("proc/self/mountinfo", "40 25 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
		for _, dir := range []string{"a.slice", "a.slice/b.slice", "a.slice/b.slice/c.slice", "a.slice/b.slice/c.slice/d.service"} {
			tree.set("sys/fs/cgroup/"+dir+"/cpu.max", "400000 100000\n")
			tree.set("sys/fs/cgroup/"+dir+"/memory.max", "1073741824\n")
			tree.set("sys/fs/cgroup/"+dir+"/memory.high", "max\n")
		}
		for name, content := range tree.files {
			file := filepath.Join(root, filepath.FromSlash(name))
			assert.NoError(b, os.MkdirAll(filepath.Dir(file), 0o755))
			assert.NoError(b, os.WriteFile(file, []byte(content), 0o644))
		}
		benchmarkReader(b, root, 5)
	})
	b.Run("this machine", func(b *testing.B) { benchmarkReader(b, "/", 0) })
}

func benchmarkReader(b *testing.B, root string, levels int) {
	r := runtimex.NewReader(os.DirFS(root), runtimex.Affinity)
	defer r.Close()
	l, err := r.Read()
	if err != nil {
		b.Skip(err)
	}
	assert.True(b, len(l.Levels) >= levels)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = r.Read()
		r.Files()
	}
}
