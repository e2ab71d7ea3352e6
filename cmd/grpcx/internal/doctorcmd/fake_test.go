package doctorcmd_test

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/doctorcmd"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

var noon = time.Date(2026, time.June, 1, 12, 0, 0, 0, time.UTC)

// tree is a machine of 4 CPUs with cgroup v2.
func tree() fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range map[string]string{
		"proc/self/cgroup":                                            "0::/app\n",
		"proc/self/mountinfo":                                         "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n",
		"proc/self/status":                                            "Name:\tgrpcx\nCpus_allowed:\tf\n",
		"proc/meminfo":                                                "MemTotal:        8000000 kB\n",
		"sys/devices/system/cpu/online":                               "0-3\n",
		"sys/fs/cgroup/app/cpu.max":                                   "200000 100000\n",
		"sys/fs/cgroup/app/memory.max":                                "268435456\n",
		"sys/fs/cgroup/app/memory.high":                               "max\n",
		"proc/sys/kernel/osrelease":                                   "6.1.0\n",
		"proc/sys/net/core/somaxconn":                                 "4096\n",
		"proc/sys/net/ipv4/ip_local_port_range":                       "32768\t60999\n",
		"proc/sys/net/ipv4/ip_local_reserved_ports":                   "\n",
		"sys/kernel/mm/transparent_hugepage/enabled":                  "always [madvise] never\n",
		"sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none": "511\n",
	} {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

// healthy is a host without a fault.
func healthy() doctorcmd.Fake {
	gc := runtimex.Snapshot{Value: 100, Source: runtimex.SourceRuntime, Reason: "GOGC is not set, and the default is 100"}
	return doctorcmd.Fake{
		GOOS: "linux", FS: tree(), Env: map[string]string{},
		Machine: runtimex.MachineInfo{
			GOOS: "linux", GOARCH: "arm64", Level: "v8.0", NumCPU: 4, PageSize: 4096, CacheLinePad: 128,
			HardwareAES: true, Features: []string{"aes", "pmull"},
		},
		CPUModel: "Neoverse N1", Memory: 16 << 20,
		Without: runtimex.Report{
			GOMAXPROCS: runtimex.Snapshot{Value: 2, Source: runtimex.SourceRuntime},
			GOMEMLIMIT: runtimex.Snapshot{Value: runtimex.NoLimit, Source: runtimex.SourceRuntime},
			GOGC:       gc,
		},
		With: runtimex.Report{
			GOMAXPROCS: runtimex.Snapshot{Value: 2, Source: runtimex.SourceRuntime, Reason: "CPU quota 2 of /app, policy native"},
			GOMEMLIMIT: runtimex.Snapshot{Value: 224 << 20, Source: runtimex.SourceCgroup, Reason: "memory.max of /app of 256 MiB less 32 MiB headroom"},
			GOGC:       gc,
		},
		Pressure:       &runtimex.Pressure{CPU: runtimex.CPUPressure{Periods: 1000, Throttled: 3}},
		MaxConnections: 3300, FilesSoft: 4400, FilesHard: 4400,
		Clock:        []doctorcmd.Instant{{noon, 0}, {noon.Add(time.Millisecond), time.Millisecond}},
		Built:        noon.AddDate(0, -1, 0),
		Synchronized: true, MaxError: 20 * time.Millisecond,
	}
}

func TestHealthy(t *testing.T) {
	got := run(t, healthy().New, "--strict", "-o", "json")
	assert.Equal(t, got.code, 0, got.stderr)
	assert.Equal(t, got.stderr, "")
	golden(t, "report.golden.json", got.stdout)
	got = run(t, healthy().New, "--strict")
	assert.Equal(t, got.code, 0, got.stderr)
	golden(t, "report.golden", got.stdout)
}

// TestFindings: each fault alone gives its finding and no other.
func TestFindings(t *testing.T) {
	set := func(name, text string) func(*doctorcmd.Fake) {
		return func(f *doctorcmd.Fake) { f.FS.(fstest.MapFS)[name] = &fstest.MapFile{Data: []byte(text)} }
	}
	env := func(name, value string, more ...func(*doctorcmd.Fake)) func(*doctorcmd.Fake) {
		return func(f *doctorcmd.Fake) {
			f.Env[name] = value
			for _, edit := range more {
				edit(f)
			}
		}
	}
	procs := func(n int64, source runtimex.Source) func(*doctorcmd.Fake) {
		return func(f *doctorcmd.Fake) { f.With.GOMAXPROCS = runtimex.Snapshot{Value: n, Source: source} }
	}
	memory := func(n int64, source runtimex.Source) func(*doctorcmd.Fake) {
		return func(f *doctorcmd.Fake) { f.With.GOMEMLIMIT = runtimex.Snapshot{Value: n, Source: source} }
	}
	bind := func(errno syscall.Errno) func(*doctorcmd.Fake) {
		return func(f *doctorcmd.Fake) {
			f.Bind = &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", errno)}
		}
	}
	const gcOff = runtimex.GCOff
	for _, test := range []struct {
		name           string
		edit           func(*doctorcmd.Fake)
		args           []string
		id, level      string
		text, remedies string // parts
	}{
		{"ECS", env("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4"), nil, "container.kind", "warning", "Amazon ECS", "WithECS"},
		{"no CPU limit", env("KUBERNETES_SERVICE_HOST", "10.0.0.1", set("sys/fs/cgroup/app/cpu.max", "max 100000\n")), nil,
			"cgroup.no-cpu-limit", "warning", "all 4 CPUs", "resources.limits.cpu"},
		{"no memory limit", env("KUBERNETES_SERVICE_HOST", "10.0.0.1", set("sys/fs/cgroup/app/memory.max", "max\n")), nil,
			"cgroup.no-memory-limit", "warning", "no memory limit", "resources.limits.memory"},
		{"malformed limit", set("sys/fs/cgroup/app/cpu.max", "many 100000\n"), nil, "cgroup.unreadable", "warning", "/sys/fs/cgroup/app/cpu.max", "readable"},
		{"group out of sight", set("proc/self/cgroup", "0::/../other\n"), nil, "cgroup.unreachable", "warning", "/../other", "mount the cgroup file system"},
		{"throttled", func(f *doctorcmd.Fake) { f.Pressure.CPU.Throttled = 500 }, nil, "cgroup.throttled", "warning", "500 of 1000", "raise the CPU limit"},
		{"killed", func(f *doctorcmd.Fake) { f.Pressure.Memory.OOMKill = 1 }, nil, "cgroup.oom-killed", "warning", "1 process ", "raise the memory limit"},

		{"tuning fails", func(f *doctorcmd.Fake) { f.TuneErr = errors.New("runtimex: no way") }, nil, "runtime.apply", "error", "no way", "grpcx.Without"},
		{"GOMAXPROCS above the quota", env("GOMAXPROCS", "8", procs(8, runtimex.SourceEnv)), nil, "runtime.gomaxprocs", "warning", "quota of 2", "would make it 2"},
		{"GOMAXPROCS ignored", env("GOMAXPROCS", "two"), nil, "runtime.gomaxprocs", "warning", `GOMAXPROCS="two"`, "unset it"},
		{"GOMEMLIMIT off", env("GOMEMLIMIT", "off", memory(runtimex.NoLimit, runtimex.SourceEnv)), nil, "runtime.gomemlimit", "warning", "is off by the environment", "unset GOMEMLIMIT"},
		{"GOMEMLIMIT too high", env("GOMEMLIMIT", "256MiB", memory(256<<20, runtimex.SourceEnv)), nil, "runtime.gomemlimit", "warning", "is 256 MiB", "unset GOMEMLIMIT"},
		{"GOMEMLIMIT tiny", env("GOMEMLIMIT", "1MiB", memory(1<<20, runtimex.SourceEnv)), nil, "runtime.gomemlimit", "warning", "less than the 16 MiB that this program alone takes", "64 MiB"},
		{"GOGC off", func(f *doctorcmd.Fake) { f.With.GOGC.Value = gcOff }, nil, "runtime.gogc", "warning", "GOGC is off", "unset GOGC"},
		{"GOGC off, no limit", func(f *doctorcmd.Fake) {
			f.With.GOGC.Value, f.With.GOMEMLIMIT.Value = gcOff, runtimex.NoLimit
		}, nil, "runtime.gogc", "error", "grows until", "set GOMEMLIMIT"},
		{"GOGC ignored", env("GOGC", "often"), nil, "runtime.gogc", "warning", `GOGC="often"`, "unset it"},
		{"tracking off", env("GODEBUG", "x=1,containermaxprocs=0"), nil, "runtime.godebug", "warning", "containermaxprocs=0", "OverrideEnv"},
		{"weak TLS", env("GODEBUG", "tls10server=1"), nil, "runtime.godebug", "warning", "weakens TLS", "take it out"},

		{"no AES", func(f *doctorcmd.Fake) { f.Machine.HardwareAES = false }, nil, "machine.cpu", "warning", "ChaCha20", "cpu.aes=off"},
		{"large pages", func(f *doctorcmd.Fake) { f.Machine.PageSize = 65536 }, nil, "machine.page-size", "warning", "65536 bytes", "4 KiB"},
		{"huge pages", set("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n"), nil, "machine.huge-pages", "warning", "always on", "max_ptes_none"},
		{"few files", func(f *doctorcmd.Fake) { f.FilesSoft, f.MaxConnections = 1024, 768 }, nil, "limits.files", "warning", "Limits.MaxConnections is 768", "ulimit -n"},
		{"server refuses", func(f *doctorcmd.Fake) { f.ConnectionsErr = errors.New("grpcx: no") }, nil, "limits.files", "error", "grpcx: no", "asks for"},
		{"more connections than memory", func(f *doctorcmd.Fake) { f.MaxConnections = 786432 }, nil, "limits.connections", "warning", "hold 10649 idle connections in plaintext", "less than 10649"},
		{"short queue", set("proc/sys/net/core/somaxconn", "128\n"), nil, "kernel.somaxconn", "warning", "at most 128", "somaxconn=4096"},
		{"few ports", set("proc/sys/net/ipv4/ip_local_port_range", "60000 60999\n"), nil, "kernel.ephemeral-ports", "warning", "1000 ports", "ip_local_port_range"},
		{"no inotify", func(f *doctorcmd.Fake) { f.Inotify = os.NewSyscallError("inotify_init1", syscall.EMFILE) }, nil, "kernel.inotify", "warning", "too many open files", "max_user_instances"},

		{"clock behind", func(f *doctorcmd.Fake) { f.Clock = []doctorcmd.Instant{{time.Unix(0, 0), 0}} }, nil, "clock.time", "error", "1970-01-01T00:00:00Z", "NTP"},
		{"clock ahead", func(f *doctorcmd.Fake) { f.Clock = []doctorcmd.Instant{{noon.AddDate(40, 0, 0), 0}} }, nil, "clock.time", "error", "2066", "NTP"},
		{"clock stepped", func(f *doctorcmd.Fake) { f.Clock[1].Wall = noon.Add(-2 * time.Second) }, nil, "clock.time", "warning", "stepped by -2.001s", "slew"},
		{"not synchronised", func(f *doctorcmd.Fake) { f.Synchronized = false }, nil, "clock.sync", "warning", "no time service", "chrony"},
		{"badly synchronised", func(f *doctorcmd.Fake) { f.MaxError = 3 * time.Second }, nil, "clock.sync", "warning", "wrong by 3s", "chronyc"},

		{"address in use", bind(syscall.EADDRINUSE), []string{"--addr", ":9000"}, "addr.bind", "error", "in use", "another port"},
		{"low port", bind(syscall.EACCES), []string{"--addr", ":443"}, "addr.bind", "error", "permission denied", "CAP_NET_BIND_SERVICE"},
		{"not our address", bind(syscall.EADDRNOTAVAIL), []string{"--addr", "192.0.2.1:9000"}, "addr.bind", "error", "192.0.2.1:9000", "none for all: :9000"},
		{"no such name", func(f *doctorcmd.Fake) {
			f.Bind = &net.OpError{Op: "listen", Err: &net.DNSError{Err: "no such host", Name: "db"}}
		},
			[]string{"--addr", "db:9000"}, "addr.bind", "error", "no such host", "IP address"},
		{"port may be taken", func(*doctorcmd.Fake) {}, []string{"--addr", ":50051"}, "addr.ephemeral", "warning", "port 50051", "ip_local_reserved_ports=50051"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := healthy()
			test.edit(&f)
			got := run(t, f.New, append(test.args, "-o", "json")...)
			r := parse(t, got.stdout)
			if len(r.bad()) != 1 {
				t.Fatalf("findings: %+v", r.bad())
			}
			b := r.bad()[0]
			assert.Equal(t, b.ID, test.id)
			assert.Equal(t, b.Level, test.level)
			assert.Contains(t, b.Text, test.text)
			assert.Contains(t, b.Remedy, test.remedies)
			assert.True(t, b.Source != "", "no source")
			assert.Equal(t, r.Result, test.level)
			code := map[string]int{"warning": 0, "error": 1}[test.level]
			assert.Equal(t, got.code, code)
			strict := run(t, f.New, append(test.args, "--strict")...)
			assert.Equal(t, strict.code, 1)
			assert.Contains(t, strict.stderr, "grpcx: doctor found ", "remedies")
			assert.Contains(t, strict.stdout, "remedy: "+b.Remedy, b.Text)
		})
	}
}

// TestNotFindings: what looks like a fault and is none.
func TestNotFindings(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(*doctorcmd.Fake)
		args []string
	}{
		{"reserved port", func(f *doctorcmd.Fake) {
			f.FS.(fstest.MapFS)["proc/sys/net/ipv4/ip_local_reserved_ports"].Data = []byte("8080,50000-50100\n")
		}, []string{"--addr", "127.0.0.1:50051"}},
		{"port below the range", func(*doctorcmd.Fake) {}, []string{"--addr", ":9000", "--addr", "[::1]:9001"}},
		{"huge pages tamed", func(f *doctorcmd.Fake) {
			f.FS.(fstest.MapFS)["sys/kernel/mm/transparent_hugepage/enabled"].Data = []byte("[always] madvise never\n")
			f.FS.(fstest.MapFS)["sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none"].Data = []byte("0\n")
		}, nil},
		{"Kubernetes with limits", func(f *doctorcmd.Fake) { f.Env["KUBERNETES_SERVICE_HOST"] = "10.0.0.1" }, nil},
		{"GOMAXPROCS below the quota", func(f *doctorcmd.Fake) {
			f.Env["GOMAXPROCS"] = "1"
			f.With.GOMAXPROCS = runtimex.Snapshot{Value: 1, Source: runtimex.SourceEnv}
		}, nil},
		{"adjtimex refused", func(f *doctorcmd.Fake) { f.NTPErr = os.NewSyscallError("adjtimex", syscall.EPERM) }, nil},
		{"no limit of files", func(f *doctorcmd.Fake) { f.FilesSoft, f.FilesHard, f.MaxConnections = 0, 0, 10000 }, nil},
		{"another system", func(f *doctorcmd.Fake) {
			f.GOOS, f.FS, f.Pressure = "darwin", fstest.MapFS{}, nil
			f.Inotify, f.NTPErr = errors.ErrUnsupported, errors.ErrUnsupported
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := healthy()
			test.edit(&f)
			got := run(t, f.New, append(test.args, "--strict", "-o", "json")...)
			assert.Equal(t, got.code, 0, got.stderr)
			assert.Equal(t, len(parse(t, got.stdout).bad()), 0, got.stdout)
		})
	}
}

// TestTextIsPrintable: names of groups come from others.
func TestTextIsPrintable(t *testing.T) {
	f := healthy()
	files := f.FS.(fstest.MapFS)
	files["proc/self/cgroup"].Data = []byte("0::/app\x1b[31m\n")
	files["sys/fs/cgroup/app\x1b[31m/cpu.max"] = files["sys/fs/cgroup/app/cpu.max"]
	got := run(t, f.New)
	assert.NotContains(t, got.stdout+got.stderr, "\x1b")
	assert.Contains(t, got.stdout, "/app\uFFFD[31m")
}
