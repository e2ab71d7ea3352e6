package runtimex_test

import (
	"io/fs"

	"github.com/grpcx-go/sdk/runtimex"
)

// detectMounts are machines where it takes a look at several mounts to tell
// which directory is the process's own.
var detectMounts = []detectCase{{
	name: "--cgroupns=host with the whole hierarchy",
	files: `
-- proc/self/cgroup --
0::/system.slice/docker-4f2c.scope
-- proc/self/mountinfo --
700 650 0:29 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate
-- sys/fs/cgroup/system.slice/cpu.max --
max 100000
-- sys/fs/cgroup/system.slice/memory.max --
max
-- sys/fs/cgroup/system.slice/memory.high --
max
-- sys/fs/cgroup/system.slice/docker-4f2c.scope/cpu.max --
250000 100000
-- sys/fs/cgroup/system.slice/docker-4f2c.scope/memory.max --
268435456
-- sys/fs/cgroup/system.slice/docker-4f2c.scope/memory.high --
max
`,
	quota:  2.5,
	memory: 256 * mib,
	levels: []runtimex.Level{
		v2Level("/system.slice/docker-4f2c.scope", "/sys/fs/cgroup/system.slice/docker-4f2c.scope", 2.5, 256*mib, none),
		v2Level("/system.slice", "/sys/fs/cgroup/system.slice", 0, none, none),
		bareLevel("/", "/sys/fs/cgroup"),
	},
}, {
	name: "--cgroupns=host with only the container's own subtree",
	files: `
-- proc/self/cgroup --
0::/system.slice/docker-4f2c.scope/init
-- proc/self/mountinfo --
699 650 0:29 /system.slice/docker-4f2 /sys/fs/other ro - cgroup2 cgroup rw,nsdelegate
700 650 0:29 /system.slice/docker-4f2c.scope /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate
-- sys/fs/other/cpu.max --
900000 100000
-- sys/fs/cgroup/cpu.max --
250000 100000
-- sys/fs/cgroup/init/cpu.max --
max 100000
`,
	quota:  2.5,
	memory: none,
	levels: []runtimex.Level{
		{
			Version: 2, Path: "/system.slice/docker-4f2c.scope/init", Dir: "/sys/fs/cgroup/init", HasCPU: true,
			MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
		{
			Version: 2, Path: "/system.slice/docker-4f2c.scope", Dir: "/sys/fs/cgroup", HasCPU: true, CPUQuota: 2.5,
			MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
	},
}, {
	name: "own namespace, mount from outside of it",
	files: `
-- proc/self/cgroup --
0::/
-- proc/self/mountinfo --
34 25 0:29 /../../.. /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
-- sys/fs/cgroup/cpu.max --
100000 100000
`,
	memory:      none,
	unreachable: true,
	err: []string{
		"/proc/self/mountinfo", `cgroup v2 is "/"`, `"/sys/fs/cgroup" showing "/../../.."`,
		"inside the container's own cgroup namespace", "set GOMAXPROCS and GOMEMLIMIT",
	},
}, {
	name: "own namespace, mount from outside of it, processes listed",
	files: `
-- proc/self/status --
Cpus_allowed:	ff
NSpid:	4711	7
-- proc/self/cgroup --
0::/sub
-- proc/self/mountinfo --
34 25 0:29 /../.. /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
-- sys/fs/cgroup/cgroup.procs --
7
-- sys/fs/cgroup/nomad.slice/cpu.max --
400000 100000
-- sys/fs/cgroup/nomad.slice/api.scope/sub/cgroup.procs --
77
-- sys/fs/cgroup/nomad.slice/web.scope/sub/cgroup.procs --
6
7
-- sys/fs/cgroup/nomad.slice/web.scope/sub/cpu.max --
100000 100000
-- sys/fs/cgroup/nomad.slice/web.scope/cpu.max --
50000 100000
-- sys/fs/cgroup/other.slice/zoo.scope/sub/deep/cgroup.procs --
7
`,
	quota:  0.5,
	memory: none,
	levels: []runtimex.Level{
		{
			Version: 2, Path: "/sub", Dir: "/sys/fs/cgroup/nomad.slice/web.scope/sub",
			HasCPU: true, CPUQuota: 1, MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
		{
			Version: 2, Path: "/", Dir: "/sys/fs/cgroup/nomad.slice/web.scope",
			HasCPU: true, CPUQuota: 0.5, MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
		{
			Version: 2, Path: "/..", Dir: "/sys/fs/cgroup/nomad.slice",
			HasCPU: true, CPUQuota: 4, MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
		bareLevel("/../..", "/sys/fs/cgroup"),
	},
}, {
	name: "group outside of the namespace, mount that shows it",
	files: `
-- proc/self/cgroup --
0::/../../nomad.slice/share.slice/b30b.web.scope
-- proc/self/mountinfo --
33 25 0:29 /.. /mnt/near rw - cgroup2 cgroup2 rw
34 25 0:29 /../.. /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw
-- mnt/near/cpu.max --
100000 100000
-- sys/fs/cgroup/nomad.slice/cpu.max --
400000 100000
-- sys/fs/cgroup/nomad.slice/share.slice/b30b.web.scope/cpu.max --
600000 100000
`,
	quota:  4,
	memory: none,
	levels: []runtimex.Level{
		{
			Version: 2, Path: "/../../nomad.slice/share.slice/b30b.web.scope", Dir: "/sys/fs/cgroup/nomad.slice/share.slice/b30b.web.scope",
			HasCPU: true, CPUQuota: 6, MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
		bareLevel("/../../nomad.slice/share.slice", "/sys/fs/cgroup/nomad.slice/share.slice"),
		{
			Version: 2, Path: "/../../nomad.slice", Dir: "/sys/fs/cgroup/nomad.slice",
			HasCPU: true, CPUQuota: 4, MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
		bareLevel("/../..", "/sys/fs/cgroup"),
	},
}, {
	name: "stacked mounts: the later one is on top",
	files: `
-- proc/self/cgroup --
0::/kubepods/pod1/app
-- proc/self/mountinfo --
40 25 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
41 40 0:29 /kubepods/pod1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw
-- sys/fs/cgroup/cpu.max --
200000 100000
-- sys/fs/cgroup/app/cpu.max --
300000 100000
-- sys/fs/cgroup/kubepods/pod1/app/cpu.max --
100000 100000
`,
	quota:  2,
	memory: none,
	levels: []runtimex.Level{
		{
			Version: 2, Path: "/kubepods/pod1/app", Dir: "/sys/fs/cgroup/app", HasCPU: true, CPUQuota: 3,
			MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
		{
			Version: 2, Path: "/kubepods/pod1", Dir: "/sys/fs/cgroup", HasCPU: true, CPUQuota: 2,
			MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
	},
}, {
	name: "two mounts: the one with more ancestors, unless it lacks the group",
	files: `
-- proc/self/cgroup --
0::/pod1/app
-- proc/self/mountinfo --
39 25 0:29 / /host/empty rw - cgroup2 cgroup2 rw
40 25 0:29 /pod1/app /sys/fs/cgroup rw - cgroup2 cgroup2 rw
41 25 0:29 /pod1 /host/cgroup rw - cgroup2 cgroup2 rw
-- host/empty/x --
-- sys/fs/cgroup/cpu.max --
max 100000
-- host/cgroup/cpu.max --
100000 100000
-- host/cgroup/app/cpu.max --
max 100000
`,
	quota:  1,
	memory: none,
	levels: []runtimex.Level{
		{
			Version: 2, Path: "/pod1/app", Dir: "/host/cgroup/app", HasCPU: true,
			MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
		{
			Version: 2, Path: "/pod1", Dir: "/host/cgroup", HasCPU: true, CPUQuota: 1,
			MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
	},
}, {
	name: "a tmpfs hides the mount",
	files: `
-- proc/self/cgroup --
0::/
-- proc/self/mountinfo --
40 25 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
41 40 0:99 / /sys/fs/cgroup ro - tmpfs tmpfs ro,size=0k
-- sys/fs/cgroup/cpu.max --
100000 100000
`,
	memory:      none,
	unreachable: true,
	err:         []string{"it is not mounted"},
}, {
	name: "spaces, escapes and colons",
	files: `
-- proc/self/cgroup --
0::/my slice/a:b\x2dc
-- proc/self/mountinfo --
40 25 0:29 /my\040slice /sys/fs\040cgroup\134\011 rw shared:3 master:1 propagate_from:2 unbindable - cgroup2  rw
-- sys/fs cgroup\	/a:b\x2dc/cpu.max --
50000 100000
`,
	quota:  0.5,
	memory: none,
	levels: []runtimex.Level{
		{
			Version: 2, Path: `/my slice/a:b\x2dc`, Dir: "/sys/fs cgroup\\\t/a:b\\x2dc", HasCPU: true, CPUQuota: 0.5,
			MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
		bareLevel("/my slice", "/sys/fs cgroup\\\t"),
	},
}, {
	name:   "mountinfo is forbidden",
	files:  kubernetesV2,
	deny:   map[string]error{"proc/self/mountinfo": fs.ErrPermission},
	memory: none,
	err:    []string{"/proc/self/mountinfo: open", "permission denied"},
}, {
	name: "truncated",
	files: `
-- proc/self/cgroup --
0::/
-- proc/self/mountinfo --
22 27 0:21 / /proc rw,relatime - proc proc rw
486 477 0:30 / /sys/fs/cgr`,
	memory:      none,
	unreachable: true,
	err:         []string{`malformed: got "486 477 0:30 / /sys/fs/cgr", want a line of mountinfo`, "not mounted"},
}}
