package doctorcmd

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"syscall"

	"github.com/grpcx-go/sdk/runtimex"
)

// checkLimits reads what the control groups allow.
func (e *examination) checkLimits() {
	limits, err := runtimex.Detect(e.host.fs)
	e.Limits = limits
	e.Container.CgroupVersions = cgroupVersions(limits.Levels)
	const source = "runtimex.Detect"
	if errors.Is(err, errors.ErrUnsupported) && len(limits.Levels) == 0 {
		e.okf("cgroup.limits", source, "there are no control groups to read on this system, so nothing is limited by them")
		return
	}
	for _, err := range split(err) {
		e.cannotRead(err)
	}
	if len(limits.Levels) == 0 && err == nil {
		e.okf("cgroup.limits", source, "this process is in no control group that is mounted here")
	} else if len(limits.Levels) > 0 {
		e.okf("cgroup.limits", source, "CPU quota %s, memory limit %s; %s",
			cpus(limits.CPUQuota), size(limits.Memory), levelsText(limits.Levels))
	}
	if e.Container.Kind != "kubernetes" || err != nil {
		return
	}
	if limits.CPUQuota == 0 {
		e.warn("cgroup.no-cpu-limit", source,
			fmt.Sprintf("the container has no CPU limit, so GOMAXPROCS follows all %d CPUs of the node", limits.CPUs),
			"set resources.limits.cpu, or pass the request with runtimex.WithCPURequest")
	}
	if limits.Memory == runtimex.NoLimit {
		e.warn("cgroup.no-memory-limit", source,
			"the container has no memory limit, so GOMEMLIMIT stays off and the node's memory is the limit",
			"set resources.limits.memory")
	}
}

// cannotRead reports a file that could not be used. Its limit may exist: that
// must not look like a machine without one.
func (e *examination) cannotRead(err error) {
	const unknown = "; a limit in it counts for none"
	file, ok := errors.AsType[*runtimex.FileError](err)
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		e.warn("cgroup.unreadable", "RLIMIT_NOFILE", err.Error()+unknown, "raise the limit of open files: ulimit -n")
	case errors.Is(err, runtimex.ErrUnreachable):
		text, _, _ := strings.Cut(err.Error(), ": mount ") // it says the remedy, too
		e.warn("cgroup.unreachable", "/proc/self/mountinfo", text+", so its limits are not known",
			"mount the cgroup file system inside the container's own cgroup namespace, or set GOMAXPROCS and GOMEMLIMIT")
	case ok:
		cause := file.Err
		if p, ok := errors.AsType[*fs.PathError](cause); ok {
			cause = p.Err // its path is without the slash
		}
		e.warn("cgroup.unreadable", file.Path, fmt.Sprintf("%s: %v", file.Path, cause)+unknown,
			"make the file readable for the user of the server, or set GOMAXPROCS and GOMEMLIMIT")
	default:
		e.warn("cgroup.unreadable", "runtimex.Detect", err.Error()+unknown, "set GOMAXPROCS and GOMEMLIMIT")
	}
}

// checkPressure looks at what enforcement has cost already.
func (e *examination) checkPressure(p *runtimex.Pressure) {
	e.Container.Pressure = p
	if p == nil {
		return
	}
	// The first periods of a container are its start.
	const least, share = 100, 0.1
	if c := p.CPU; c.Periods >= least && float64(c.Throttled) > share*float64(c.Periods) {
		e.warn("cgroup.throttled", "cpu.stat", fmt.Sprintf("the control group used up its CPU quota in %d of %d periods", c.Throttled, c.Periods),
			"raise the CPU limit, or lower the load of the container")
	}
	if p.Memory.OOMKill > 0 {
		e.warn("cgroup.oom-killed", "memory.events, memory.oom_control",
			fmt.Sprintf("the kernel killed %s of the control group for want of memory", plural(int(min(p.Memory.OOMKill, math.MaxInt32)), "process")),
			"raise the memory limit, or lower Limits.MaxConnections, MaxConcurrentStreams and MaxRecvBytes")
	}
}

// levelsText names the groups that set a limit.
func levelsText(levels []runtimex.Level) string {
	var texts []string
	for _, l := range levels {
		var limits []string
		if l.CPUQuota > 0 {
			limits = append(limits, "CPU "+cpus(l.CPUQuota))
		}
		for _, m := range []struct {
			name  string
			limit int64
		}{{"memory", l.MemoryMax}, {"memory.high", l.MemoryHigh}, {"memory of all ancestors", l.MemoryHierarchical}} {
			if m.limit != runtimex.NoLimit {
				limits = append(limits, m.name+" "+size(m.limit))
			}
		}
		if len(limits) > 0 {
			texts = append(texts, fmt.Sprintf("%s (%s)", l.Dir, strings.Join(limits, ", ")))
		}
	}
	looked := plural(len(levels), "group") + " looked at"
	if len(texts) == 0 {
		return looked
	}
	return looked + ", with limits: " + strings.Join(texts, "; ")
}

func cpus(quota float64) string {
	if quota == 0 {
		return "none"
	}
	return fmt.Sprintf("%g", math.Round(quota*1000)/1000)
}

func size(n int64) string {
	if n == runtimex.NoLimit {
		return "none"
	}
	return fmt.Sprintf("%.4g MiB", float64(n)/(1<<20))
}

// split returns the errors that were joined.
func split(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, err := range joined.Unwrap() {
		all = append(all, split(err)...)
	}
	return all
}
