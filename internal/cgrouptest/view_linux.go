package cgrouptest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// View is how much of the hierarchies a process sees.
type View string

const (
	// Host is everything, as the test sees it.
	Host View = ""
	// Container is a control group namespace of its own with a mount made in
	// it: the group is the root. Kubernetes and Docker do this with cgroup v2.
	Container View = "container"
	// Unmounted is a control group namespace of its own with the host's
	// mounts, whose root /proc/self/mountinfo then shows as "/..".
	Unmounted View = "unmounted"
	// Bind is the host's namespace where only the group's own subtree is
	// mounted, as docker run --cgroupns=host does.
	Bind View = "bind"
	// Stacked is Container on top of the host's mounts instead of in their
	// place: two mounts at one mount point.
	Stacked View = "stacked"
)

// apply gives the calling thread the view. dirs are the group's directories.
func (v View) apply(dirs []string) error {
	switch v {
	case Host:
		return nil
	case Unmounted:
		return unix.Unshare(unix.CLONE_NEWCGROUP)
	case Bind:
		return remount(dirs, 0, unix.MNT_DETACH, func(_, dir, target string) error {
			return unix.Mount(dir, target, "", unix.MS_BIND, "")
		})
	case Container:
		return remount(dirs, unix.CLONE_NEWCGROUP, unix.MNT_DETACH, mountNew)
	case Stacked:
		return remount(dirs, unix.CLONE_NEWCGROUP, 0, mountNew)
	default:
		return fmt.Errorf("there is no view %q", string(v))
	}
}

// remount gives the thread mounts of its own, and more namespaces, where
// another mount takes the place of each that holds one of the directories.
// With no flags to unmount it, the old one stays beneath.
func remount(dirs []string, more, unmount int, mount func(old, dir, target string) error) error {
	if err := unix.Unshare(unix.CLONE_NEWNS | more); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	for _, dir := range dirs {
		old := mountOf(dir)
		// It is made elsewhere and then moved: a file system cannot be mounted
		// over itself, and the directory is out of reach once old is gone.
		temp, err := os.MkdirTemp("", "cgrouptest")
		if err != nil {
			return err
		}
		defer os.Remove(temp)
		if err := mount(old, dir, temp); err != nil {
			return fmt.Errorf("mount for %s: %w", old, err)
		}
		if unmount != 0 {
			if err := unix.Unmount(old, unmount); err != nil {
				return fmt.Errorf("unmount %s: %w", old, err)
			}
		}
		if err := unix.Mount(temp, old, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move to %s: %w", old, err)
		}
	}
	return nil
}

// mountNew mounts the hierarchy of old as a new control group namespace shows it.
func mountNew(old, _, target string) error {
	if old == root {
		return unix.Mount("cgroup2", target, "cgroup2", 0, "")
	}
	return unix.Mount("cgroup", target, "cgroup", 0, filepath.Base(old))
}

// mountOf is the mount point of the hierarchy that holds dir.
func mountOf(dir string) string {
	if onlyV2() {
		return root
	}
	hierarchy, _, _ := strings.Cut(strings.TrimPrefix(dir, root+"/"), "/")
	return filepath.Join(root, hierarchy)
}
