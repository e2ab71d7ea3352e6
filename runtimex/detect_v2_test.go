package runtimex_test

import (
	"io/fs"
	"syscall"

	"github.com/grpcx-go/sdk/runtimex"
)

// kubernetesV2 is a container of containerd with its own cgroup namespace.
const kubernetesV2 = `
-- proc/self/cgroup --
0::/
-- proc/self/mountinfo --
1542 1371 0:303 / / rw,relatime master:518 - overlay overlay rw,lowerdir=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/61/fs,upperdir=/u,workdir=/w
1543 1542 0:306 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
1551 1542 0:299 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
1560 1551 0:26 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw
1561 1542 259:1 /var/lib/kubelet/pods/8d5c/etc-hosts /etc/hosts rw,relatime - ext4 /dev/nvme0n1p1 rw,discard
-- sys/fs/cgroup/cpu.max --
150000 100000
-- sys/fs/cgroup/memory.max --
536870912
-- sys/fs/cgroup/memory.high --
483180544
-- sys/fs/cgroup/cpu.stat --
usage_usec 8211250
nr_periods 1200
nr_throttled 77
throttled_usec 5012345
nr_bursts 0
-- sys/fs/cgroup/memory.events --
low 0
high 170
max 12
oom 1
oom_kill 1
oom_group_kill 0
-- sys/fs/cgroup/cpu.pressure --
some avg10=22.10 avg60=1.50 avg300=0.30 total=4000001
full avg10=1.00 avg60=0.00 avg300=0.00 total=4000
-- sys/fs/cgroup/memory.pressure --
some avg10=0.00 avg60=0.00 avg300=0.00 total=0
full avg10=0.00 avg60=0.00 avg300=0.00 total=0
`

// systemdV2 is a service in a slice of its own, seen from the host.
const systemdV2 = `
-- proc/self/cgroup --
0::/shop.slice/shop-api.slice/greeter.service
-- proc/self/mountinfo --
24 30 0:22 / /proc rw,nosuid,nodev,noexec,relatime shared:14 - proc proc rw
25 30 0:23 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
34 25 0:29 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
35 25 0:30 / /sys/fs/pstore rw,nosuid,nodev,noexec,relatime shared:10 - pstore pstore rw
-- sys/fs/cgroup/cgroup.controllers --
cpuset cpu io memory pids
-- sys/fs/cgroup/shop.slice/cpu.max --
300000 100000
-- sys/fs/cgroup/shop.slice/memory.max --
2147483648
-- sys/fs/cgroup/shop.slice/memory.high --
1610612736
-- sys/fs/cgroup/shop.slice/shop-api.slice/cpu.max --
max 100000
-- sys/fs/cgroup/shop.slice/shop-api.slice/memory.max --
max
-- sys/fs/cgroup/shop.slice/shop-api.slice/memory.high --
max
-- sys/fs/cgroup/shop.slice/shop-api.slice/greeter.service/cgroup.procs --
4711
`

var detectV2 = []detectCase{{
	name:   "kubernetes",
	files:  kubernetesV2,
	quota:  1.5,
	memory: 483180544,
	levels: []runtimex.Level{v2Level("/", "/sys/fs/cgroup", 1.5, 512*mib, 483180544)},
}, {
	name:   "systemd slice limits, no controllers in the service",
	files:  systemdV2,
	quota:  3,
	memory: 1536 * mib,
	levels: []runtimex.Level{
		bareLevel("/shop.slice/shop-api.slice/greeter.service", "/sys/fs/cgroup/shop.slice/shop-api.slice/greeter.service"),
		v2Level("/shop.slice/shop-api.slice", "/sys/fs/cgroup/shop.slice/shop-api.slice", 0, none, none),
		v2Level("/shop.slice", "/sys/fs/cgroup/shop.slice", 3, 2*gib, 1536*mib),
		bareLevel("/", "/sys/fs/cgroup"),
	},
}, {
	name: "docker, limit above the machine's memory",
	files: `
-- proc/self/cgroup --
0::/
-- proc/self/mountinfo --
473 387 0:143 / / rw,relatime master:181 - overlay overlay rw
477 473 0:149 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
486 477 0:30 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw
-- sys/fs/cgroup/cpu.max --
1600000 100000
-- sys/fs/cgroup/memory.max --
68719476736
-- sys/fs/cgroup/memory.high --
max
`,
	quota:  16,
	memory: 16 * gib,
	levels: []runtimex.Level{v2Level("/", "/sys/fs/cgroup", 16, 64*gib, none)},
}, {
	name: "ecs: the task's group, which has the quota, cannot be seen",
	files: `
-- proc/self/cgroup --
0::/
-- proc/self/mountinfo --
981 970 0:26 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate,memory_recursiveprot
-- sys/fs/cgroup/cpu.max --
max 100000
-- sys/fs/cgroup/memory.max --
1073741824
-- sys/fs/cgroup/memory.high --
max
`,
	memory: gib,
	levels: []runtimex.Level{v2Level("/", "/sys/fs/cgroup", 0, gib, none)},
}, {
	name: "lxc: systemd inside a namespace, limit on its root",
	files: `
-- proc/self/cgroup --
0::/system.slice/greeter.service
-- proc/self/mountinfo --
1066 1065 0:31 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - cgroup2 none rw,nsdelegate,memory_recursiveprot
-- sys/fs/cgroup/cpu.max --
20000 10000
-- sys/fs/cgroup/memory.max --
1073741824
-- sys/fs/cgroup/memory.high --
max
-- sys/fs/cgroup/system.slice/memory.max --
max
-- sys/fs/cgroup/system.slice/memory.high --
max
-- sys/fs/cgroup/system.slice/greeter.service/memory.max --
max
-- sys/fs/cgroup/system.slice/greeter.service/memory.high --
805306368
`,
	quota:  2,
	memory: 768 * mib,
	levels: []runtimex.Level{
		{
			Version: 2, Path: "/system.slice/greeter.service", Dir: "/sys/fs/cgroup/system.slice/greeter.service", HasMemory: true,
			MemoryMax: none, MemoryHigh: 768 * mib, MemoryHierarchical: none,
		},
		{
			Version: 2, Path: "/system.slice", Dir: "/sys/fs/cgroup/system.slice", HasMemory: true,
			MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
		v2Level("/", "/sys/fs/cgroup", 2, gib, none),
	},
}, {
	name:  "landlock: everything is forbidden",
	files: kubernetesV2,
	deny: map[string]error{
		"sys/fs/cgroup/cpu.max": fs.ErrPermission, "sys/fs/cgroup/memory.max": fs.ErrPermission, "sys/fs/cgroup/memory.high": fs.ErrPermission,
	},
	memory: none,
	levels: []runtimex.Level{v2Level("/", "/sys/fs/cgroup", 0, none, none)},
	err:    []string{"/sys/fs/cgroup/cpu.max: ", "/sys/fs/cgroup/memory.max: ", "/sys/fs/cgroup/memory.high: ", "permission denied"},
}, {
	name: "one level is forbidden, one malformed: the others count",
	files: systemdV2 + `
-- sys/fs/cgroup/shop.slice/shop-api.slice/cpu.max --
soon
`,
	deny: map[string]error{
		"sys/fs/cgroup/shop.slice/shop-api.slice/memory.high":             syscall.EACCES,
		"sys/fs/cgroup/shop.slice/shop-api.slice/greeter.service/cpu.max": syscall.EIO,
	},
	quota:  3,
	memory: 1536 * mib,
	levels: []runtimex.Level{
		{
			Version: 2, Path: "/shop.slice/shop-api.slice/greeter.service", Dir: "/sys/fs/cgroup/shop.slice/shop-api.slice/greeter.service", HasCPU: true,
			MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
		v2Level("/shop.slice/shop-api.slice", "/sys/fs/cgroup/shop.slice/shop-api.slice", 0, none, none),
		v2Level("/shop.slice", "/sys/fs/cgroup/shop.slice", 3, 2*gib, 1536*mib),
		bareLevel("/", "/sys/fs/cgroup"),
	},
	err: []string{"permission denied", `got "soon\n", want "<quota> <period>"`},
}, {
	name:   "/proc/self/cgroup is forbidden",
	files:  kubernetesV2,
	deny:   map[string]error{"proc/self/cgroup": fs.ErrPermission},
	memory: none,
	err:    []string{"/proc/self/cgroup", "permission denied"},
}, {
	name: "a kernel without control groups",
	files: `
-- proc/self/mountinfo --
22 27 0:21 / /proc rw,relatime - proc proc rw
`,
	memory: none,
}}
