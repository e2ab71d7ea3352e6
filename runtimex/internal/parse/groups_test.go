package parse_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex/internal/parse"
)

func TestCgroup(t *testing.T) {
	t.Parallel()
	got, err := parse.Cgroup([]byte("12:cpu,cpuacct:/a:b/c\n1:name=systemd:/\n0::/../x y (deleted)\n"))
	assert.NoError(t, err)
	assert.Equal(t, got, []parse.Membership{
		{ID: 12, Controllers: []string{"cpu", "cpuacct"}, Path: "/a:b/c"},
		{ID: 1, Controllers: []string{"name=systemd"}, Path: "/"},
		{ID: 0, Path: "/../x y (deleted)"},
	})
	assert.True(t, got[0].Has("cpu") && got[0].Has("cpuacct") && !got[0].Has("cpu,cpuacct") && !got[0].V2())
	assert.True(t, got[2].V2() && !got[2].Has("") && !got[2].Has("cpu"))

	for _, text := range []string{"0:/\n", "0::\n", "0::x\n", ":cpu:/\n", "a:cpu:/\n", "3::/\n", "0:cpu:/\n", "-1:cpu:/\n", "\n"} {
		got, err := parse.Cgroup([]byte(text + "0::/ok\n"))
		assert.ErrorContains(t, err, "malformed", "<id>:<controllers>:/<path>")
		assert.Equal(t, got, []parse.Membership{{Path: "/ok"}})
	}
	got, err = parse.Cgroup([]byte("4:memory:/a\n0::/kubepods/bur"))
	assert.ErrorContains(t, err, `"0::/kubepods/bur"`, "newline")
	assert.Equal(t, len(got), 1)
	got, err = parse.Cgroup(nil)
	assert.NoError(t, err)
	assert.Equal(t, len(got), 0)
}

func FuzzCgroup(f *testing.F) {
	for _, seed := range []string{"12:cpu,cpuacct:/a:b/c\n1:name=systemd:/\n0::/x\n", "0::/trunc", "0:cpu:/\n", "::\n", "4:memory:/a b (deleted)\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := parse.Cgroup(data)
		lines := strings.SplitAfter(string(data), "\n")
		good := 0
		for _, l := range lines {
			if l == "" {
				continue
			}
			fields := strings.SplitN(strings.TrimSuffix(l, "\n"), ":", 3)
			if good == len(all) || len(fields) != 3 || !strings.HasSuffix(l, "\n") {
				continue
			}
			// The next membership is this line, or the line is malformed.
			m := all[good]
			if fields[2] == m.Path && fields[1] == strings.Join(m.Controllers, ",") && strings.TrimLeft(fields[0], "0") == strings.TrimLeft(fmt.Sprint(m.ID), "0") {
				good++
			}
		}
		if good != len(all) {
			t.Errorf("%q: %+v is more than it says", data, all)
		}
		for _, m := range all {
			if m.Path[0] != '/' || m.V2() != (m.Controllers == nil) {
				t.Errorf("%q: %+v", data, m)
			}
		}
		if count := strings.Count(string(data), "\n"); err == nil && count != len(all) {
			t.Errorf("%q: %d of %d lines, and no error", data, len(all), count)
		}
	})
}

func TestMounts(t *testing.T) {
	t.Parallel()
	got, err := parse.Mounts([]byte(strings.Join([]string{
		`36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`,
		`40 25 0:29 /my\040slice /sys/fs\011cg\134\012 rw shared:3 master:1 propagate_from:2 unbindable - cgroup2  rw`,
		`41 25 0:30 / /v1 rw - cgroup cgroup rw,cpu,cpuacct`,
		`42 25 0:4 net:[4026531840] /run/netns/x rw shared:9 - nsfs nsfs rw`,
		`43 25 0:31 / /- rw x - tmpfs - cgroup2`,
		`44 25 0:32 / /wsl rw - 9p C:\134 rw,aname=drvfs;path=C:\;uid=0 with space`,
		``,
	}, "\n")))
	assert.NoError(t, err)
	assert.Equal(t, got, []parse.Mount{
		{Version: 2, Root: "/my slice", Point: "/sys/fs\tcg\\\n"},
		{Version: 1, Controllers: []string{"rw", "cpu", "cpuacct"}, Root: "/", Point: "/v1"},
	})
	assert.True(t, got[1].Has("cpu") && got[1].Has("cpuacct") && !got[1].Has("cp") && !got[0].Has("cpu"))
}

func TestMountsMalformed(t *testing.T) {
	t.Parallel()
	const good = "41 25 0:30 / /v1 rw - cgroup cgroup rw,cpu\n"
	for _, text := range []string{
		"\n", "41 25 0:30 / /v2 rw cgroup cgroup rw\n", "41 25 0:30 / /v2 rw -\n", "41 25 0:30 / /v2 rw - cgroup cgroup\n", "41 25 0:30 / /v2 rw - cgroup2 a b rw\n",
		"41 25 0:30 / v2 rw - cgroup2 a rw\n", "41 25 0:30 .. /v2 rw - cgroup2 a rw\n", `41 25 0:30 /\04 /v2 rw - cgroup2 a rw` + "\n", `41 25 0:30 /\400 /v2 rw - cgroup2 a rw` + "\n",
		`41 25 0:30 / /\089 rw - cgroup2 a rw` + "\n", `41 25 0:30 / /v2\0`,
	} {
		got, err := parse.Mounts([]byte(good + text))
		assert.ErrorContains(t, err, "malformed", "a line of mountinfo")
		assert.Equal(t, len(got), 1, text)
	}
}

func TestMountsCovered(t *testing.T) {
	t.Parallel()
	got, err := parse.Mounts([]byte("40 25 0:29 / /cg rw - cgroup2 a rw\n41 40 0:29 /a /cg rw - cgroup2 a rw\n42 40 0:29 /b /x rw - cgroup2 a rw\n43 42 0:9 / /x rw - tmpfs a rw\n"))
	assert.NoError(t, err)
	assert.Equal(t, got, []parse.Mount{{Version: 2, Root: "/a", Point: "/cg"}})
}

// escape is the kernel's show_path.
var escape = strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`)

func FuzzMounts(f *testing.F) {
	for _, seed := range []string{
		"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n40 25 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
		"41 25 0:30 / /v1 rw - cgroup cgroup rw,cpu\n", `40 25 0:29 /a\040b /\134 rw - cgroup2  rw` + "\n", `40 25 0:29 /\4`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := parse.Mounts(data)
		points := map[string]bool{}
		for _, m := range all {
			if m.Root == "" || m.Root[0] != '/' || m.Point == "" || m.Point[0] != '/' || points[m.Point] {
				t.Errorf("%q: %+v", data, m)
			}
			points[m.Point] = true
			kind := map[int]string{1: " - cgroup ", 2: " - cgroup2 "}[m.Version]
			if kind == "" || !strings.Contains(string(data), kind) {
				t.Errorf("%q: %+v", data, m)
			}
		}
		if err == nil && len(data) > 0 && data[len(data)-1] != '\n' {
			t.Errorf("%q is cut short, and no error", data)
		}
	})
}

// FuzzMountPaths writes any two paths as the kernel does and reads them back.
func FuzzMountPaths(f *testing.F) {
	f.Add("/", "/sys/fs/cgroup", "shared:1 ")
	f.Add("/a b\t\n\\", `/\040`, "")
	f.Add("/../..", strings.Repeat("/ ", 2048), "x - y ")
	f.Fuzz(func(t *testing.T, root, point, optional string) {
		root, point = "/"+root, "/"+point
		if strings.Contains(" "+optional, " - ") || strings.Contains(optional, "\n") || optional != "" && !strings.HasSuffix(optional, " ") {
			optional = ""
		}
		text := fmt.Sprintf("40 25 0:29 %s %s rw %s- cgroup2 none rw\n", escape.Replace(root), escape.Replace(point), optional)
		got, err := parse.Mounts([]byte(text))
		if err != nil || len(got) != 1 || got[0].Root != root || got[0].Point != point {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	})
}
