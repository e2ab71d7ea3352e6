package doctorcmd

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/grpcx-go/sdk/runtimex"
)

func (e *examination) checkMachine() {
	m := e.Machine
	features := strings.Join(m.Features, " ")
	if features == "" {
		features = "none that Go looks for"
	}
	cpu := plural(m.NumCPU, "CPU") + " (" + cmp.Or(m.CPUModel, "model unknown") + "), built for " + m.GOARCH
	if m.Level != "" {
		cpu += " " + m.Level
	}
	if m.HardwareAES {
		e.okf("machine.cpu", "runtimex.Machine", "%s; features: %s; TLS prefers AES-GCM", cpu, features)
	} else {
		e.warn("machine.cpu", "runtimex.Machine",
			fmt.Sprintf("the processor has no instructions for AES-GCM, so TLS prefers ChaCha20-Poly1305 and AES is slow; %s; features: %s", cpu, features),
			"take cpu.aes=off out of GODEBUG if it is there, or expose the processor's features to the virtual machine")
	}
	switch {
	case m.PageSize >= 64<<10:
		e.warn("machine.page-size", "AT_PAGESZ",
			fmt.Sprintf("memory pages have %d bytes, and the runtime gives back whole pages only: more memory stays resident (golang/go#78962)", m.PageSize),
			"use a kernel with pages of 4 KiB, or plan for more memory")
	default:
		e.okf("machine.page-size", "AT_PAGESZ", "memory pages have %d bytes", m.PageSize)
	}
	e.checkHugePages()
}

// checkHugePages follows https://go.dev/doc/gc-guide#Linux_transparent_huge_pages.
func (e *examination) checkHugePages() {
	const dir = "sys/kernel/mm/transparent_hugepage/"
	_, mode, _ := strings.Cut(e.host.line(dir+"enabled"), "[")
	mode, _, ok := strings.Cut(mode, "]")
	if !ok {
		return
	}
	e.Kernel.HugePages = mode
	unbacked, err := strconv.Atoi(e.host.line(dir + "khugepaged/max_ptes_none"))
	if mode != "always" || err == nil && unbacked == 0 {
		e.okf("machine.huge-pages", "/"+dir+"enabled", "transparent huge pages: %s", mode)
		return
	}
	e.warn("machine.huge-pages", "/"+dir+"enabled",
		"transparent huge pages are always on, and khugepaged backs memory again that the runtime gave back: more stays resident",
		"echo 0 > /"+dir+"khugepaged/max_ptes_none, or echo madvise > /"+dir+"enabled")
}

// checkFiles looks at how many connections the limit of open files allows.
func (e *examination) checkFiles() {
	const id = "limits.files"
	s := &e.Server
	s.FilesSoft, s.FilesHard = e.host.files()
	n, err := e.host.connections()
	if err != nil {
		e.fail(id, "grpcx.New", err.Error(), "give the server what the error asks for")
		return
	}
	s.MaxConnections = n
	// A quarter is left to the rest of the program.
	const least = 3072
	switch {
	case s.FilesSoft == 0:
		e.okf(id, "RLIMIT_NOFILE", "this system has no limit of open files; Limits.MaxConnections is %d", n)
	case n < least:
		e.warn(id, "RLIMIT_NOFILE", fmt.Sprintf("at most %d files may be open, so Limits.MaxConnections is %d", s.FilesSoft, n),
			"raise the limit: ulimit -n, LimitNOFILE= of systemd, --ulimit nofile= of Docker")
	default:
		e.okf(id, "RLIMIT_NOFILE", "%d files may be open, so Limits.MaxConnections is %d", s.FilesSoft, n)
	}
	e.checkConnections(n)
}

// checkConnections looks at whether that many connections fit into memory.
func (e *examination) checkConnections(n int) {
	// Heap and stacks of an idle one, as docs/performance.md has them.
	each, kind := int64(20<<10), "in plaintext"
	if e.opts.files.Cert != "" {
		each, kind = 61<<10, "with TLS"
	}
	limit := e.Runtime.GOMEMLIMIT.Value
	most := (limit - e.host.memory()) / each
	if limit == runtimex.NoLimit || most <= 0 || int64(n) <= most {
		return // without room for one, checkMemory has said so
	}
	e.warn("limits.connections", "GOMEMLIMIT, RLIMIT_NOFILE",
		fmt.Sprintf("Limits.MaxConnections is %d, but the %s of GOMEMLIMIT hold %d idle connections %s at most", n, size(limit), most, kind),
		fmt.Sprintf("set Limits.MaxConnections to less than %d, or raise the memory limit", most))
}

func (e *examination) checkKernel() {
	if e.host.goos != "linux" {
		return
	}
	k := &e.Kernel
	k.Release = e.host.line("proc/sys/kernel/osrelease")
	if n, err := strconv.Atoi(e.host.line("proc/sys/net/core/somaxconn")); err == nil {
		k.Somaxconn = n
		// Linux has had 4096 since 5.4, and 128 before.
		if n < 1024 {
			e.warn("kernel.somaxconn", "/proc/sys/net/core/somaxconn",
				fmt.Sprintf("at most %d connections wait to be accepted; a burst of clients, as after a restart, is refused", n),
				"sysctl -w net.core.somaxconn=4096, in Kubernetes as a sysctl of the pod")
		} else {
			e.okf("kernel.somaxconn", "/proc/sys/net/core/somaxconn", "up to %d connections wait to be accepted", n)
		}
	}
	if first, last, ok := e.host.ephemeral(); ok {
		k.EphemeralFirst, k.EphemeralLast = first, last
		n := last - first + 1
		if n < 4096 {
			e.warn("kernel.ephemeral-ports", "/proc/"+portRange,
				fmt.Sprintf("outgoing connections to one address can use %d ports only, %d to %d", n, first, last),
				`sysctl -w net.ipv4.ip_local_port_range="32768 60999"`)
		} else {
			e.okf("kernel.ephemeral-ports", "/proc/"+portRange, "outgoing connections use the ports %d to %d", first, last)
		}
	}
	if err := e.host.inotify(); err != nil {
		e.warn("kernel.inotify", "inotify_init1(2)", "changes of files cannot be watched ("+err.Error()+"), so certificates and limits are followed by polls alone",
			"raise fs.inotify.max_user_instances on the node, or end what uses them up")
	} else {
		e.okf("kernel.inotify", "inotify_init1(2)", "changes of files are reported at once")
	}
}

const portRange = "sys/net/ipv4/ip_local_port_range"

// ephemeral is the range of ports of outgoing connections.
func (h host) ephemeral() (first, last int, ok bool) {
	fields := strings.Fields(h.line("proc/" + portRange))
	if len(fields) != 2 {
		return 0, 0, false
	}
	first, err := strconv.Atoi(fields[0])
	if err != nil {
		return 0, 0, false
	}
	last, err = strconv.Atoi(fields[1])
	return first, last, err == nil && last >= first
}
