package tlsx_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
)

// inotifyWatches counts the instances and watches of this process.
func inotifyWatches(t *testing.T) (instances, watches int) {
	t.Helper()
	paths, err := filepath.Glob("/proc/self/fdinfo/*")
	assert.NoError(t, err)
	for _, path := range paths {
		link, err := os.Readlink(strings.Replace(path, "fdinfo", "fd", 1))
		if err != nil || link != "anon_inode:inotify" {
			continue
		}
		instances++
		data, err := os.ReadFile(path)
		if err == nil {
			watches += strings.Count(string(data), "inotify wd:")
		}
	}
	return instances, watches
}

// Rotations leave no watches behind, and Run leaves none at all.
func TestReloaderLeavesNoWatch(t *testing.T) {
	instances, watches := inotifyWatches(t)
	assert.Equal(t, instances, 0)
	assert.Equal(t, watches, 0)
	base, err := filepath.EvalSymlinks(t.TempDir())
	assert.NoError(t, err)
	dir := mkdir(t, base, "live")
	first := newIssue(t, 0)
	first.write(t, dir)
	rec := newRecorder()
	r := newReloader(t, filesIn(dir), rec.options(tlsx.WithPollInterval(time.Hour), tlsx.WithSettle(time.Millisecond))...)
	stop := start(t, r)
	rec.await(t, "mode events+poll", 1)
	_, before := inotifyWatches(t)
	assert.True(t, before > 1)
	for n := 1; n <= 30; n++ {
		i := newIssue(t, n)
		next := mkdir(t, base, "next")
		i.write(t, next)
		rename(t, dir, filepath.Join(base, "old"))
		rename(t, next, dir)
		await(t, r, "a new directory", i.served)
		assert.NoError(t, os.RemoveAll(filepath.Join(base, "old")))
	}
	_, after := inotifyWatches(t)
	assert.Equal(t, after, before)
	stop()
	instances, _ = inotifyWatches(t)
	assert.Equal(t, instances, 0)
}
