package runtimex_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

// watchFiles returns a watcher and files that it does not watch yet.
func watchFiles(t *testing.T, names ...string) (w runtimex.Watcher, paths []string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("there are no limit files on " + runtime.GOOS)
	}
	w, err := runtimex.NewWatcher()
	assert.NoError(t, err)
	t.Cleanup(w.Close)
	dir := t.TempDir()
	for _, name := range names {
		paths = append(paths, filepath.Join(dir, name))
		watchWrite(t, paths[len(paths)-1], "max 100000\n")
	}
	return w, paths
}

func watchWrite(t *testing.T, path, text string) {
	t.Helper()
	assert.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

// watchWoken waits for an event and then for those that belong to it.
func watchWoken(t *testing.T, w runtimex.Watcher, why string) {
	t.Helper()
	select {
	case <-w.C():
	case <-time.After(20 * time.Second):
		t.Fatalf("no event: %s", why)
	}
	for {
		select {
		case <-w.C():
		case <-time.After(50 * time.Millisecond):
			return
		}
	}
}

func watchArmed(w runtimex.Watcher) []string {
	return slices.Sorted(slices.Values(w.Source().WatchList()))
}

func TestWatch(t *testing.T) {
	t.Parallel()
	w, paths := watchFiles(t, "cpu.max", "memory.max", "other")
	cpu, memory, other := paths[0], paths[1], paths[2]
	assert.NoError(t, w.Set(cpu, memory))
	assert.Equal(t, watchArmed(w), []string{cpu, memory})
	watchWrite(t, cpu, "200000 100000\n")
	watchWoken(t, w, "cpu.max was written")
	watchWrite(t, memory, "1000\n")
	watchWoken(t, w, "memory.max was written")

	assert.NoError(t, w.Set(other, memory, other))
	assert.Equal(t, watchArmed(w), []string{memory, other})
	watchWrite(t, other, "x")
	watchWoken(t, w, "other was written")

	assert.NoError(t, w.Set())
	assert.Equal(t, len(watchArmed(w)), 0)
	assert.NoError(t, w.Set(cpu))
	watchWrite(t, cpu, "max 100000\n")
	watchWoken(t, w, "cpu.max was written, watched again")
}

func TestWatchCoalesces(t *testing.T) {
	t.Parallel()
	w, paths := watchFiles(t, "cpu.max")
	assert.NoError(t, w.Set(paths...))
	// Nobody receives meanwhile, which stops nothing.
	for i := range 1000 {
		watchWrite(t, paths[0], strconv.Itoa(i))
	}
	watchWoken(t, w, "cpu.max was written")
	assert.Equal(t, len(w.C()), 0)
}

// TestWatchReplaced: a control group was removed and one of the same name made.
func TestWatchReplaced(t *testing.T) {
	t.Parallel()
	w, paths := watchFiles(t, "cpu.max", "memory.max")
	cpu, memory := paths[0], paths[1]
	assert.NoError(t, w.Set(paths...))
	assert.NoError(t, os.Remove(cpu))
	watchWoken(t, w, "cpu.max was removed")

	assert.NoError(t, w.Set(paths...), "a file that is gone is no error")
	assert.Equal(t, watchArmed(w), []string{memory})
	watchWrite(t, cpu, "1")
	assert.NoError(t, w.Set(paths...))
	watchWrite(t, cpu, "2")
	watchWoken(t, w, "the new cpu.max was written")

	// Replaced at once, and moved away.
	next := cpu + ".next"
	watchWrite(t, next, "3")
	assert.NoError(t, os.Rename(next, cpu))
	watchWoken(t, w, "cpu.max was replaced")
	assert.NoError(t, w.Set(paths...))
	watchWrite(t, cpu, "4")
	watchWoken(t, w, "the other new cpu.max was written")
	assert.NoError(t, os.Rename(cpu, next))
	watchWoken(t, w, "cpu.max was moved")
	watchWrite(t, cpu, "5")
	assert.NoError(t, w.Set(paths...))
	watchWrite(t, cpu, "6")
	watchWoken(t, w, "cpu.max was written after one was moved")
}

// TestWatchSecondName: fsnotify knows one file by one name, and forgets it by
// that name.
func TestWatchSecondName(t *testing.T) {
	t.Parallel()
	w, paths := watchFiles(t, "cpu.max")
	second := paths[0] + ".second"
	assert.NoError(t, os.Link(paths[0], second))
	assert.NoError(t, w.Set(paths[0]))
	assert.NoError(t, w.Set(paths[0], second))
	assert.NoError(t, w.Set(second))
	watchWrite(t, second, "1")
	watchWoken(t, w, "the file was written")
}

func TestWatchFailsInPart(t *testing.T) {
	t.Parallel()
	w, paths := watchFiles(t, "cpu.max")
	bad := filepath.Join(paths[0], "below", "a file")
	tooLong := filepath.Join(filepath.Dir(paths[0]), string(make([]byte, 300)))
	err := w.Set(bad, paths[0], tooLong)
	assert.ErrorIs(t, err, syscall.ENOTDIR)
	assert.ErrorContains(t, err, bad, "cannot be watched")
	file, ok := errors.AsType[*runtimex.FileError](err)
	assert.True(t, ok && (file.Path == bad || file.Path == tooLong), fmt.Sprint(err))
	watchWrite(t, paths[0], "1")
	watchWoken(t, w, "cpu.max was written, which could be watched")
}

// TestWatchLostEvents: more happened than the kernel keeps.
func TestWatchLostEvents(t *testing.T) {
	t.Parallel()
	w, _ := watchFiles(t)
	w.Source().Errors <- fsnotify.ErrEventOverflow
	watchWoken(t, w, "events were lost")
}

// TestWatchNeverBlocks sets and closes while events arrive that nobody waits for.
func TestWatchNeverBlocks(t *testing.T) {
	t.Parallel()
	w, paths := watchFiles(t, "a", "b", "c")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, path := range paths {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				// A write, or a file in place of the old one.
				target := path
				if i%3 == 0 {
					target += ".next"
				}
				if os.WriteFile(target, []byte("x"), 0o644) == nil && target != path {
					_ = os.Rename(target, path)
				}
			}
		})
	}
	for i := range 500 {
		assert.NoError(t, w.Set(paths[i%3], paths[(i+1)%3]))
	}
	w.Close()
	close(stop)
	wg.Wait()
	w.Close() // again, and once more by the cleanup
	assert.ErrorIs(t, w.Set(paths...), fsnotify.ErrClosed)
}

func TestWatchElsewhere(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "linux" {
		t.Skip("there are limit files on linux")
	}
	_, err := runtimex.NewWatcher()
	assert.ErrorIs(t, err, errors.ErrUnsupported)
}

func TestWatchErrors(t *testing.T) {
	t.Parallel()
	for err, remedy := range map[error]string{
		syscall.ENOSPC:   "fs.inotify.max_user_watches",
		syscall.EMFILE:   "fs.inotify.max_user_instances",
		syscall.ENFILE:   "open files",
		fs.ErrPermission: "read the file",
		syscall.ENOSYS:   "cannot be watched",
	} {
		got := runtimex.ExplainWatch(err)
		assert.ErrorIs(t, got, err)
		assert.ErrorContains(t, got, remedy)
	}
}
