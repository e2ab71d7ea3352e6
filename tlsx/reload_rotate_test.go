package tlsx_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
)

// A procedure is a way in which the world replaces files.
type procedure struct {
	name string
	// atomic ones replace all files at once: one generation each time.
	atomic bool
	// setup installs the first issue below dir and returns the files, and how
	// to install the next one.
	setup func(t testing.TB, dir string, first issue) (tlsx.Files, func(n int, next issue, rec *recorder))
}

func mkdir(t testing.TB, elem ...string) string {
	t.Helper()
	dir := filepath.Join(elem...)
	assert.NoError(t, os.MkdirAll(dir, 0o755))
	return dir
}

func symlink(t testing.TB, target, path string) {
	t.Helper()
	assert.NoError(t, os.Symlink(target, path))
}

func rename(t testing.TB, from, to string) {
	t.Helper()
	assert.NoError(t, os.Rename(from, to))
}

// flip points a link elsewhere, atomically.
func flip(t testing.TB, target, path string) {
	t.Helper()
	symlink(t, target, path+".new")
	rename(t, path+".new", path)
}

// atomicWriter is the kubelet's: pkg/volume/util/atomic_writer.go.
type atomicWriter struct {
	t   testing.TB
	dir string
	n   int
}

func (w *atomicWriter) write(payload map[string][]byte) {
	t := w.t
	t.Helper()
	names := slices.Sorted(maps.Keys(payload)) // (1) validate
	data := filepath.Join(w.dir, "..data")
	old, err := os.Readlink(data) // (2) where does ..data lead?
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var stale []string // (3) user-visible files that go
	entries, err := os.ReadDir(w.dir)
	assert.NoError(t, err)
	for _, e := range entries {
		if _, kept := payload[e.Name()]; !kept && e.Name()[0] != '.' {
			stale = append(stale, e.Name())
		}
	}
	// (4) the payload differs: the caller sees to that
	w.n++
	ts := fmt.Sprintf("..2026_11_22_04_00_%02d.%d", w.n%60, w.n) // (5) new timestamped directory
	mkdir(t, w.dir, ts)
	for _, name := range names { // (6) write the payload, (7) and its modes
		path := filepath.Join(w.dir, ts, name)
		assert.NoError(t, os.WriteFile(path, payload[name], 0o644))
		assert.NoError(t, os.Chmod(path, 0o640))
	}
	symlink(t, ts, filepath.Join(w.dir, "..data_tmp"))  // (8)
	rename(t, filepath.Join(w.dir, "..data_tmp"), data) // (9)
	for _, name := range names {                        // (10) user-visible links
		path := filepath.Join(w.dir, name)
		if _, err := os.Readlink(path); err != nil {
			symlink(t, filepath.Join("..data", name), path)
		}
	}
	for _, name := range stale {
		assert.NoError(t, os.Remove(filepath.Join(w.dir, name)))
	}
	if old != "" { // (11)
		assert.NoError(t, os.RemoveAll(filepath.Join(w.dir, old)))
	}
}

// install is the setup of procedures on a plain directory.
func install(next func(t testing.TB, dir string, n int, i issue, rec *recorder)) func(testing.TB, string, issue) (tlsx.Files, func(int, issue, *recorder)) {
	return func(t testing.TB, dir string, first issue) (tlsx.Files, func(int, issue, *recorder)) {
		live := mkdir(t, dir, "live")
		first.write(t, live)
		return filesIn(live), func(n int, i issue, rec *recorder) { next(t, live, n, i, rec) }
	}
}

var procedures = []procedure{
	{"kubernetes volume", true, func(t testing.TB, dir string, first issue) (tlsx.Files, func(int, issue, *recorder)) {
		w := &atomicWriter{t: t, dir: dir}
		w.write(first.data)
		return filesIn(dir), func(_ int, i issue, _ *recorder) { w.write(i.data) }
	}},
	{"mv over", false, install(func(t testing.TB, dir string, _ int, i issue, _ *recorder) { i.replace(t, dir) })},
	{"truncate and write", false, install(func(t testing.TB, dir string, _ int, i issue, _ *recorder) { i.write(t, dir) })},
	{"truncate and write in pieces", false, install(func(t testing.TB, dir string, _ int, i issue, _ *recorder) {
		for name, data := range i.data {
			f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_TRUNC, 0)
			assert.NoError(t, err)
			for part := range slices.Chunk(data, 100) {
				_, err := f.Write(part)
				assert.NoError(t, err)
			}
			assert.NoError(t, f.Close())
		}
	})},
	{"two steps, the second after the first was refused", false, install(func(t testing.TB, dir string, n int, i issue, rec *recorder) {
		assert.NoError(t, os.WriteFile(filepath.Join(dir, "tls.crt"), i.data["tls.crt"], 0o600))
		rec.await(t, "degraded mismatch", n)
		i.write(t, dir)
	})},
	{"rename away, back later", false, install(func(t testing.TB, dir string, n int, i issue, rec *recorder) {
		for name := range i.data {
			rename(t, filepath.Join(dir, name), filepath.Join(dir, name+".old"))
		}
		rec.await(t, "degraded missing", n)
		i.write(t, dir)
	})},
	{"remove, create", false, install(func(t testing.TB, dir string, _ int, i issue, _ *recorder) {
		for name := range i.data {
			assert.NoError(t, os.Remove(filepath.Join(dir, name)))
		}
		i.write(t, dir)
	})},
	{"directory replaced", false, install(func(t testing.TB, dir string, _ int, i issue, _ *recorder) {
		next := mkdir(t, dir+".next")
		i.write(t, next)
		rename(t, dir, dir+".old")
		rename(t, next, dir)
		assert.NoError(t, os.RemoveAll(dir+".old"))
	})},
	{"directory replaced, the old one kept", false, install(func(t testing.TB, dir string, n int, i issue, _ *recorder) {
		next := mkdir(t, dir+".next")
		i.write(t, next)
		rename(t, dir, fmt.Sprint(dir, ".old", n))
		rename(t, next, dir)
	})},
	{"directory removed, made again later", false, install(func(t testing.TB, dir string, n int, i issue, rec *recorder) {
		assert.NoError(t, os.RemoveAll(dir))
		rec.await(t, "degraded missing", n)
		i.write(t, mkdir(t, dir))
	})},
	{"directory above replaced", true, func(t testing.TB, dir string, first issue) (tlsx.Files, func(int, issue, *recorder)) {
		live := filepath.Join(dir, "above", "live")
		first.write(t, mkdir(t, live))
		return filesIn(live), func(n int, i issue, _ *recorder) {
			next := mkdir(t, dir, "next")
			i.write(t, mkdir(t, next, "live"))
			rename(t, filepath.Join(dir, "above"), filepath.Join(dir, fmt.Sprint("old", n)))
			rename(t, next, filepath.Join(dir, "above"))
		}
	}},
	{"link flipped, the old target kept", true, func(t testing.TB, dir string, first issue) (tlsx.Files, func(int, issue, *recorder)) {
		first.write(t, mkdir(t, dir, "v0"))
		symlink(t, "v0", filepath.Join(dir, "current"))
		return filesIn(filepath.Join(dir, "current")), func(n int, i issue, _ *recorder) {
			i.write(t, mkdir(t, dir, fmt.Sprint("v", n)))
			flip(t, fmt.Sprint("v", n), filepath.Join(dir, "current"))
		}
	}},
	// istio/istio#61161: the layout of the cert-manager CSI driver.
	{"chained links across directories", true, func(t testing.TB, dir string, first issue) (tlsx.Files, func(int, issue, *recorder)) {
		w := &atomicWriter{t: t, dir: mkdir(t, dir, "volumes", "csi")}
		w.write(first.data)
		app, hop := mkdir(t, dir, "etc", "app"), mkdir(t, dir, "run", "hop")
		for name := range first.data {
			symlink(t, filepath.Join(w.dir, name), filepath.Join(hop, name)) // absolute
			symlink(t, filepath.Join("..", "..", "run", "hop", name), filepath.Join(app, name))
		}
		return filesIn(app), func(_ int, i issue, _ *recorder) { w.write(i.data) }
	}},
	{"link to a directory in the middle of the path", true, func(t testing.TB, dir string, first issue) (tlsx.Files, func(int, issue, *recorder)) {
		first.write(t, mkdir(t, dir, "store", "0", "tls"))
		symlink(t, filepath.Join(dir, "store", "0"), filepath.Join(dir, "now"))
		mkdir(t, dir, "etc")
		symlink(t, filepath.Join("..", "now", "tls"), filepath.Join(dir, "etc", "tls"))
		return filesIn(filepath.Join(dir, "etc", "tls")), func(n int, i issue, _ *recorder) {
			i.write(t, mkdir(t, dir, "store", fmt.Sprint(n), "tls"))
			flip(t, filepath.Join(dir, "store", fmt.Sprint(n)), filepath.Join(dir, "now"))
		}
	}},
}

const rotations = 10

// run rotates ten times and checks how long each takes to be served.
func (p procedure) run(t *testing.T, limit time.Duration, mode tlsx.WatchMode, opts ...tlsx.ReloaderOption) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	assert.NoError(t, err)
	rec := newRecorder()
	files, next := p.setup(t, dir, newIssue(t, 0))
	r := newReloader(t, files, rec.options(opts...)...)
	stop := start(t, r)
	rec.await(t, "mode "+string(mode), 1)
	var longest time.Duration
	for n := 1; n <= rotations; n++ {
		i := newIssue(t, n)
		next(n, i, rec)
		took := await(t, r, fmt.Sprintf("rotation %d", n), i.served)
		longest = max(longest, took)
		if took > limit {
			t.Errorf("rotation %d took %v, more than %v", n, took, limit)
		}
		if p.atomic {
			assert.Equal(t, r.Current().Generation(), uint64(n+1), "one generation for each rotation")
		}
	}
	t.Logf("the slowest of %d took %v", rotations, longest)
	stop()
	st := r.Status()
	assert.True(t, !st.Degraded && !st.Running)
	noSecretsIn(t, rec.text())
}

// noSecretsIn fails when text looks like it holds PEM data.
func noSecretsIn(t testing.TB, text string) {
	t.Helper()
	assert.NotContains(t, text, "-----BEGIN", "MIG", "MII", "MHc")
}

// With events a change is served within a second; the polls are an hour apart
// and cannot help.
func TestReloaderRotationsByEvents(t *testing.T) {
	for _, p := range procedures {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			settle := 25 * time.Millisecond
			if p.atomic {
				settle = 100 * time.Millisecond // the default
			}
			p.run(t, time.Second, tlsx.WatchEvents, tlsx.WithPollInterval(time.Hour), tlsx.WithSettle(settle))
		})
	}
}

// Without events it is served within the poll interval, to the nanosecond.
func TestReloaderRotationsByPolls(t *testing.T) {
	for _, p := range procedures {
		t.Run(p.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p.run(t, 10*time.Second, tlsx.WatchPoll, tlsx.WithoutEvents())
			})
		})
	}
}
