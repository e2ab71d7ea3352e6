package runtimex

import (
	"errors"
	"io/fs"
)

// ErrUnreachable is wrapped by the error of [Detect] when this process is in a
// control group that no mounted cgroup file system shows it, so that the
// group's limits cannot be known. The text names the group and the mounts.
var ErrUnreachable = errors.New("control group unreachable")

// Detect reads what the machine and the control groups allow this process:
// cgroup v2, v1 and their hybrid, every level from the process's own group up
// to where the cgroup file system is mounted. fsys is rooted at "/":
//
//	limits, err := runtimex.Detect(os.DirFS("/"))
//
// It reads /proc/self/cgroup and /proc/self/mountinfo to find the groups, the
// limit files of each (cgroups(7), proc_pid_mountinfo(5)), and for the machine
// /proc/self/status, /proc/self/auxv, /proc/meminfo and
// /sys/devices/system/cpu/online. Of CPU affinity it reports that of the main
// thread, as /proc/self does. Where the file system was mounted above the root
// of the cgroup namespace, so that no name leads to the process's own group,
// that group is the one whose cgroup.procs lists the process.
//
// The limits hold what could be read even when the error is not nil. The error
// joins a [*FileError] for each file that could not be read, or whose content
// the kernel would not write; such a file is taken for no limit. An absent file
// is no error: the root group has no limit files, nor has a group whose
// controller is off. It wraps [ErrUnreachable] where the process's own group is
// out of sight, and [errors.ErrUnsupported] where there is no /proc, which is
// so on all systems but Linux: nothing is limited there.
//
// Detect is safe for concurrent use and changes nothing.
func Detect(fsys fs.FS) (Limits, error) {
	r := newReader(fsys, nil)
	defer r.close()
	return r.read()
}
