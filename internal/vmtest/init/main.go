//go:build linux

// Command init is the first process of the virtual machine of package vmtest.
// It sets up what a system's init would, runs the jobs of the plan, and powers
// the machine off.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/grpcx-go/sdk/internal/vmtest"
	"golang.org/x/sys/unix"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "this is the init of a virtual machine: run make test-vm")
		os.Exit(2)
	}
	c := &console{w: os.Stdout}
	if err := run(c); err != nil {
		c.send(vmtest.Event{Kind: vmtest.KindFatal, Text: err.Error()})
	}
	// The machine must not be off before the serial line is empty.
	if err := unix.IoctlSetInt(1, unix.TCSBRK, 1); err != nil {
		fmt.Fprintln(os.Stderr, "draining the console:", err)
	}
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Fprintln(os.Stderr, "powering off:", err) // init ends: the kernel panics and qemu with it
	}
}

func run(c *console) error {
	if err := setUp(); err != nil {
		return err
	}
	controllers, err := delegate()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(vmtest.PlanFile)
	if err != nil {
		return err
	}
	var plan vmtest.Plan
	if err := json.Unmarshal(text, &plan); err != nil {
		return fmt.Errorf("%s: %w", vmtest.PlanFile, err)
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return fmt.Errorf("uname: %w", err)
	}
	c.send(vmtest.Event{Kind: vmtest.KindMachine, Machine: &vmtest.Machine{
		Kernel:      unix.ByteSliceToString(uts.Release[:]),
		PageSize:    os.Getpagesize(),
		CPUs:        runtime.NumCPU(),
		Controllers: controllers,
	}})
	for n, job := range plan.Jobs {
		c.send(vmtest.Event{Kind: vmtest.KindStart, Job: job.Name})
		result, err := runJob(n, job, c)
		if err != nil {
			return fmt.Errorf("%s: %w", job.Name, err)
		}
		c.send(vmtest.Event{Kind: vmtest.KindEnd, Job: job.Name, Result: result})
	}
	c.send(vmtest.Event{Kind: vmtest.KindDone})
	return nil
}

// setUp mounts what programs expect, and raises the loopback interface.
func setUp() error {
	for _, m := range []struct{ kind, dir string }{
		{"proc", "/proc"},
		{"sysfs", "/sys"},
		{"devtmpfs", "/dev"},
		{"tmpfs", "/tmp"},
		{"cgroup2", cgroupRoot},
	} {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.dir, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mounting %s on %s: %w", m.kind, m.dir, err)
		}
	}
	if err := os.Chmod("/tmp", 0o777|os.ModeSticky); err != nil {
		return err
	}
	// Only messages of a dying kernel: others would cut the lines of the jobs.
	if err := os.WriteFile("/proc/sys/kernel/printk", []byte("1"), 0); err != nil {
		return err
	}
	return loopback()
}

func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		return fmt.Errorf("raising lo: %w", err)
	}
	return nil
}

// delegate enables every controller for the children of the root group and
// returns their names. Init itself moves into a child: a group that has
// controllers enabled for its children should hold no process, and only for
// the root does the kernel make an exception.
func delegate() (string, error) {
	if err := os.Mkdir(ownGroup, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(ownGroup+"/cgroup.procs", []byte("1"), 0); err != nil {
		return "", err
	}
	available, err := os.ReadFile(cgroupRoot + "/cgroup.controllers")
	if err != nil {
		return "", err
	}
	names := strings.Fields(string(available))
	for _, need := range []string{"cpu", "cpuset", "memory", "pids"} {
		if !slices.Contains(names, need) {
			return "", fmt.Errorf("the kernel has no %s controller, only %q", need, names)
		}
	}
	for _, name := range names {
		if err := os.WriteFile(cgroupRoot+"/cgroup.subtree_control", []byte("+"+name), 0); err != nil {
			return "", fmt.Errorf("enabling the %s controller: %w", name, err)
		}
	}
	return strings.Join(names, " "), nil
}
