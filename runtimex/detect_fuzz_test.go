package runtimex_test

import (
	"io/fs"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

// baseFS has every directory, and in each of them the same files.
type baseFS struct {
	files map[string]string // by base name
	asked []string
}

func (b *baseFS) Open(name string) (fs.File, error) {
	b.asked = append(b.asked, name)
	base := path.Base(name)
	content, ok := b.files[base]
	if !ok {
		return fstest.MapFS{base + "/x/y": {}}.Open(base)
	}
	return fstest.MapFS{base: {Data: []byte(content)}}.Open(base)
}

// FuzzDetect reads machines whose files say anything. Every limit that comes
// out has to be stated by one of them, and no file outside of the mounts may be
// asked for.
func FuzzDetect(f *testing.F) {
	add := func(cgroup, mountinfo, cpuMax, memoryMax, memoryHigh, quota, period, limit, stat string) {
		f.Add(cgroup, mountinfo, cpuMax, memoryMax, memoryHigh, quota, period, limit, stat)
	}
	add("0::/a/b\n", "40 25 0:29 / /cg rw - cgroup2 a rw\n", "150000 100000\n", "1048576\n", "524288\n", "", "", "", "")
	add("4:cpu,memory:/a\n", "40 25 0:29 /a /cg rw - cgroup a rw,cpu,memory\n", "", "", "", "150000\n", "100000\n", "1048576\n", "hierarchical_memory_limit 4096\n")
	add("4:cpu:/a\n0::/../b\n", "40 25 0:29 /.. /cg rw - cgroup2 a rw\n41 25 0:30 / /v1 rw - cgroup a rw,cpu\n", "max 100000\n", "max\n", "0\n", "-1\n", "0\n", "", "")
	add("0::/a\n", "40 25 0:29 /../.. /cg rw - cgroup2 a rw\n", "150000 100000\n", "1048576\n", "max\n", "", "", "", "")
	add("0::/../../etc\n", "40 25 0:29 / / rw - cgroup2 a rw\n", "0 0\n", "10485", "", "", "", "", "")
	cpuMaxForm := regexp.MustCompile(`^([0-9]+) ([0-9]+)\n`)
	number := regexp.MustCompile(`^([0-9]+)\n`)
	statForm := regexp.MustCompile(`(?m)^hierarchical_memory_limit ([0-9]+)\n`)
	f.Fuzz(func(t *testing.T, cgroup, mountinfo, cpuMax, memoryMax, memoryHigh, quota, period, limit, stat string) {
		tree := &baseFS{files: map[string]string{
			"cgroup": cgroup, "mountinfo": mountinfo, "cpu.max": cpuMax, "memory.max": memoryMax, "memory.high": memoryHigh,
			"cpu.cfs_quota_us": quota, "cpu.cfs_period_us": period, "memory.limit_in_bytes": limit, "memory.stat": stat,
			"meminfo": "MemTotal: 17179869184 kB\n", "status": "Cpus_allowed:\tff\nNSpid:\t7\n", "online": "0-3\n", "cgroup.procs": "6\n7\n",
		}}
		l, _ := runtimex.Detect(tree)

		stated := map[float64]bool{0: true}
		ratio := func(a, b string) {
			q, err1 := strconv.ParseInt(a, 10, 64)
			p, err2 := strconv.ParseInt(b, 10, 64)
			if err1 == nil && err2 == nil && q > 0 && p > 0 {
				stated[float64(q)/float64(p)] = true
			}
		}
		if m := cpuMaxForm.FindStringSubmatch(cpuMax); m != nil {
			ratio(m[1], m[2])
		}
		if q, p := number.FindStringSubmatch(quota), number.FindStringSubmatch(period); q != nil && p != nil {
			ratio(q[1], p[1])
		}
		assert.True(t, stated[l.CPUQuota] && !math.IsInf(l.CPUQuota, 0), "quota "+strconv.FormatFloat(l.CPUQuota, 'g', -1, 64))

		bytes := map[int64]bool{runtimex.NoLimit: true, l.MemoryTotal: true}
		for _, text := range []string{memoryMax, memoryHigh, limit} {
			if m := number.FindStringSubmatch(text); m != nil {
				n, _ := strconv.ParseInt(m[1], 10, 64)
				bytes[n] = true
			}
		}
		for _, m := range statForm.FindAllStringSubmatch(stat, -1) {
			n, _ := strconv.ParseInt(m[1], 10, 64)
			bytes[n] = true
		}
		assert.True(t, l.Memory > 0 && bytes[l.Memory], "memory "+strconv.FormatInt(l.Memory, 10))
		assert.Equal(t, l.CPUs, 4)

		tightest := 0.0
		for _, level := range l.Levels {
			if level.CPUQuota > 0 && (tightest == 0 || level.CPUQuota < tightest) {
				tightest = level.CPUQuota
			}
			assert.True(t, level.MemoryMax > 0 && level.MemoryHigh > 0 && level.MemoryHierarchical > 0)
			assert.True(t, level.Path[0] == '/' && level.Dir[0] == '/', level.Path+" "+level.Dir)
		}
		assert.Equal(t, l.CPUQuota, tightest)
		assert.True(t, len(l.Levels) > 0 || l.CPUQuota == 0 && l.Memory == runtimex.NoLimit)
		for _, name := range tree.asked {
			assert.True(t, !slices.Contains(strings.Split(name, "/"), ".."), name)
		}
	})
}
