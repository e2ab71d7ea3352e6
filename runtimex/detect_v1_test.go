package runtimex_test

import "github.com/grpcx-go/sdk/runtimex"

// dockerV1 is a container whose own groups are bound over their mounts.
const dockerV1 = `
-- proc/self/cgroup --
12:pids:/docker/c33988ec7651
11:memory:/docker/c33988ec7651
5:cpu,cpuacct:/docker/c33988ec7651
2:cpuset:/docker/c33988ec7651
1:name=systemd:/docker/c33988ec7651
0::/system.slice/containerd.service
-- proc/self/mountinfo --
510 430 0:68 / / rw,relatime master:259 - overlay overlay rw
515 510 0:89 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
516 515 0:90 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,mode=755,inode64
517 516 0:28 /docker/c33988ec7651 /sys/fs/cgroup/systemd ro,nosuid,nodev,noexec,relatime master:11 - cgroup cgroup rw,xattr,name=systemd
518 516 0:31 /docker/c33988ec7651 /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime master:15 - cgroup cgroup rw,memory
520 516 0:33 /docker/c33988ec7651 /sys/fs/cgroup/cpu,cpuacct ro,nosuid,nodev,noexec,relatime master:17 - cgroup cgroup rw,cpu,cpuacct
521 516 0:34 /docker/c33988ec7651 /sys/fs/cgroup/cpuset ro,nosuid,nodev,noexec,relatime master:18 - cgroup cgroup rw,cpuset
-- sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us --
75000
-- sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us --
50000
-- sys/fs/cgroup/cpu,cpuacct/cpu.stat --
nr_periods 41
nr_throttled 7
throttled_time 1234567890
-- sys/fs/cgroup/memory/memory.limit_in_bytes --
268435456
-- sys/fs/cgroup/memory/memory.failcnt --
99
-- sys/fs/cgroup/memory/memory.oom_control --
oom_kill_disable 0
under_oom 0
oom_kill 3
-- sys/fs/cgroup/memory/memory.stat --
cache 4096
rss 20971520
hierarchical_memory_limit 268435456
hierarchical_memsw_limit 9223372036854771712
total_cache 4096
`

const kubernetesV1Path = "/kubepods/burstable/poda2ebe2cd/a026c487f116"

var detectV1 = []detectCase{{
	name:   "v1 docker",
	files:  dockerV1,
	quota:  1.5,
	memory: 256 * mib,
	levels: []runtimex.Level{
		v1CPU("/docker/c33988ec7651", "/sys/fs/cgroup/cpu,cpuacct", 1.5),
		v1Memory("/docker/c33988ec7651", "/sys/fs/cgroup/memory", 256*mib, 256*mib),
	},
}, {
	name: "v1 kubernetes: the pod's limit is known through hierarchical_memory_limit alone",
	files: `
-- proc/self/cgroup --
5:cpuacct,cpu:` + kubernetesV1Path + `
4:memory:` + kubernetesV1Path + `
-- proc/self/mountinfo --
5871 5867 0:26 ` + kubernetesV1Path + ` /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime master:12 - cgroup cgroup rw,memory
5872 5867 0:27 ` + kubernetesV1Path + ` /sys/fs/cgroup/cpu,cpuacct ro,nosuid,nodev,noexec,relatime master:13 - cgroup cgroup rw,cpuacct,cpu
-- sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us --
-1
-- sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us --
0
-- sys/fs/cgroup/memory/memory.limit_in_bytes --
9223372036854771712
-- sys/fs/cgroup/memory/memory.stat --
cache 4096
hierarchical_memory_limit 402653184
`,
	memory: 384 * mib,
	levels: []runtimex.Level{
		v1CPU(kubernetesV1Path, "/sys/fs/cgroup/cpu,cpuacct", 0),
		v1Memory(kubernetesV1Path, "/sys/fs/cgroup/memory", none, 384*mib),
	},
}, {
	name: "v1 ecs: quota on the task, seen from the host's namespace",
	files: `
-- proc/self/cgroup --
6:memory:/ecs/1576650513ed/2030454c61d1
3:cpu,cpuacct:/ecs/1576650513ed/2030454c61d1
-- proc/self/mountinfo --
30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:12 - cgroup cgroup rw,cpu,cpuacct
31 25 0:27 / /sys/fs/cgroup/memory rw,nosuid shared:13 - cgroup cgroup rw,memory
-- sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us --
-1
-- sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us --
100000
-- sys/fs/cgroup/cpu,cpuacct/ecs/1576650513ed/cpu.cfs_quota_us --
100000
-- sys/fs/cgroup/cpu,cpuacct/ecs/1576650513ed/cpu.cfs_period_us --
100000
-- sys/fs/cgroup/cpu,cpuacct/ecs/1576650513ed/2030454c61d1/cpu.cfs_quota_us --
-1
-- sys/fs/cgroup/cpu,cpuacct/ecs/1576650513ed/2030454c61d1/cpu.cfs_period_us --
100000
-- sys/fs/cgroup/memory/ecs/1576650513ed/memory.limit_in_bytes --
536870912
-- sys/fs/cgroup/memory/ecs/1576650513ed/2030454c61d1/memory.limit_in_bytes --
9223372036854771712
`,
	quota:  1,
	memory: 512 * mib,
	levels: []runtimex.Level{
		v1CPU("/ecs/1576650513ed/2030454c61d1", "/sys/fs/cgroup/cpu,cpuacct/ecs/1576650513ed/2030454c61d1", 0),
		v1CPU("/ecs/1576650513ed", "/sys/fs/cgroup/cpu,cpuacct/ecs/1576650513ed", 1),
		{
			Version: 1, Path: "/ecs", Dir: "/sys/fs/cgroup/cpu,cpuacct/ecs",
			MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
		v1CPU("/", "/sys/fs/cgroup/cpu,cpuacct", 0),
		v1Memory("/ecs/1576650513ed/2030454c61d1", "/sys/fs/cgroup/memory/ecs/1576650513ed/2030454c61d1", none, none),
		v1Memory("/ecs/1576650513ed", "/sys/fs/cgroup/memory/ecs/1576650513ed", 512*mib, none),
		{
			Version: 1, Path: "/ecs", Dir: "/sys/fs/cgroup/memory/ecs",
			MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
		{
			Version: 1, Path: "/", Dir: "/sys/fs/cgroup/memory",
			MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
	},
}, {
	name: "v1 with use_hierarchy off: an ancestor's limit is not ours",
	files: `
-- proc/self/cgroup --
4:memory:/batch/job
-- proc/self/mountinfo --
31 25 0:27 / /cgroup/memory rw - cgroup cgroup rw,memory
-- cgroup/memory/batch/memory.limit_in_bytes --
1048576
-- cgroup/memory/batch/job/memory.limit_in_bytes --
104857600
-- cgroup/memory/batch/job/memory.stat --
hierarchical_memory_limit 104857600
-- cgroup/memory/memory.limit_in_bytes --
9223372036854775807
`,
	memory: 100 * mib,
	levels: []runtimex.Level{
		v1Memory("/batch/job", "/cgroup/memory/batch/job", 100*mib, 100*mib),
		v1Memory("/batch", "/cgroup/memory/batch", mib, none),
		v1Memory("/", "/cgroup/memory", none, none),
	},
}, {
	name: "v1 cpu and memory in one hierarchy, 64 KiB pages",
	files: `
-- proc/self/cgroup --
2:cpu,memory:/a
-- proc/self/mountinfo --
31 25 0:27 / / rw - cgroup cgroup rw,cpu,memory
-- cpu.cfs_quota_us --
-1
-- a/cpu.cfs_quota_us --
200000
-- a/cpu.cfs_period_us --
100000
-- a/memory.limit_in_bytes --
9223372036854710272
-- a/memory.stat --
hierarchical_memory_limit 9223372036854710272
`,
	quota:  2,
	memory: none,
	levels: []runtimex.Level{
		{
			Version: 1, Path: "/a", Dir: "/a", HasCPU: true, HasMemory: true, CPUQuota: 2,
			MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
		v1CPU("/", "/", 0),
	},
}, {
	name: "hybrid: cpu with v1, memory with v2",
	files: `
-- proc/self/cgroup --
3:cpu,cpuacct:/svc
1:name=systemd:/svc
0::/svc
-- proc/self/mountinfo --
30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw shared:12 - cgroup cgroup rw,cpu,cpuacct
31 25 0:27 / /sys/fs/cgroup/unified rw shared:13 - cgroup2 cgroup2 rw,nsdelegate
-- sys/fs/cgroup/cpu,cpuacct/svc/cpu.cfs_quota_us --
300000
-- sys/fs/cgroup/cpu,cpuacct/svc/cpu.cfs_period_us --
100000
-- sys/fs/cgroup/unified/svc/cpu.max --
100000 100000
-- sys/fs/cgroup/unified/svc/memory.max --
1073741824
-- sys/fs/cgroup/unified/svc/memory.high --
max
`,
	quota:  3,
	memory: gib,
	levels: []runtimex.Level{
		v1CPU("/svc", "/sys/fs/cgroup/cpu,cpuacct/svc", 3),
		{
			Version: 1, Path: "/", Dir: "/sys/fs/cgroup/cpu,cpuacct",
			MemoryMax: none, MemoryHigh: none, MemoryHierarchical: none,
		},
		{
			Version: 2, Path: "/svc", Dir: "/sys/fs/cgroup/unified/svc", HasMemory: true,
			MemoryMax: gib, MemoryHigh: none, MemoryHierarchical: none,
		},
		bareLevel("/", "/sys/fs/cgroup/unified"),
	},
}, {
	name: "v1 mounts of another container: only what is ours counts",
	files: `
-- proc/self/cgroup --
7:memory:/nomad/shared
5:cpu:/docker/54879c11
-- proc/self/mountinfo --
30 25 0:26 /docker/54879c11 /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
31 25 0:27 /system.slice/docker-54879c11.scope /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
-- sys/fs/cgroup/cpu/cpu.cfs_quota_us --
120000
-- sys/fs/cgroup/cpu/cpu.cfs_period_us --
100000
-- sys/fs/cgroup/memory/memory.limit_in_bytes --
1048576
`,
	quota:       1.2,
	memory:      none,
	unreachable: true,
	levels:      []runtimex.Level{v1CPU("/docker/54879c11", "/sys/fs/cgroup/cpu", 1.2)},
	err: []string{
		`cgroup v1 controller memory is "/nomad/shared"`, `"/sys/fs/cgroup/memory" showing "/system.slice/docker-54879c11.scope"`,
	},
}, {
	name: "v1 period zero, malformed memory",
	files: dockerV1 + `
-- sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us --
0
-- sys/fs/cgroup/memory/memory.limit_in_bytes --
-1
-- sys/fs/cgroup/memory/memory.stat --
hierarchical_memory_limit 134217728
cache -5
`,
	memory: 128 * mib,
	levels: []runtimex.Level{
		v1CPU("/docker/c33988ec7651", "/sys/fs/cgroup/cpu,cpuacct", 0),
		v1Memory("/docker/c33988ec7651", "/sys/fs/cgroup/memory", none, 128*mib),
	},
	err: []string{"cpu.cfs_period_us: malformed", "memory.limit_in_bytes: malformed"},
}}
