package runtimex_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

// watchGroup makes a control group of cgroup v1 or v2 and returns its directory
// and its file of the CPU quota.
func watchGroup(t *testing.T) (dir, file string, values [2]string) {
	t.Helper()
	name := fmt.Sprintf("runtimex-watch-%d", os.Getpid())
	for _, h := range []struct {
		root, file string
		values     [2]string
	}{
		{"/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", [2]string{"50000", "-1"}},
		{"/sys/fs/cgroup/cpu,cpuacct", "cpu.cfs_quota_us", [2]string{"50000", "-1"}},
		{"/sys/fs/cgroup", "cpu.max", [2]string{"50000 100000", "max 100000"}},
	} {
		if _, err := os.Stat(filepath.Join(h.root, "cgroup.procs")); err != nil {
			continue
		}
		dir = filepath.Join(h.root, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Skipf("no control group can be made here: %v", err)
		}
		t.Cleanup(func() { _ = os.Remove(dir) }) // by then it may be gone
		file = filepath.Join(dir, h.file)
		if _, err := os.Stat(file); err != nil {
			t.Skipf("the group has no limit of the CPU: %v", err)
		}
		return dir, file, h.values
	}
	t.Skip("there are no control groups here")
	return "", "", [2]string{}
}

func TestWatchControlGroup(t *testing.T) {
	t.Parallel()
	w, _ := watchFiles(t)
	dir, file, values := watchGroup(t)
	assert.NoError(t, w.Set(file))
	for _, value := range values {
		if err := os.WriteFile(file, []byte(value), 0o644); err != nil {
			t.Skipf("the limit cannot be set: %v", err)
		}
		watchWoken(t, w, "the quota was set to "+value)
	}

	// The group goes, with an event or without, and one of the same name comes.
	assert.NoError(t, os.Remove(dir))
	assert.NoError(t, os.Mkdir(dir, 0o755))
	assert.NoError(t, w.Set(file))
	assert.NoError(t, os.WriteFile(file, []byte(values[0]), 0o644))
	watchWoken(t, w, "the quota of the new group was set")
	assert.NoError(t, os.Remove(dir))
	assert.NoError(t, w.Set(file))
	assert.Equal(t, len(watchArmed(w)), 0)
}
