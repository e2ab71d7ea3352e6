//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/grpcx-go/sdk/internal/vmtest"
	"golang.org/x/sys/unix"
)

const (
	cgroupRoot = "/sys/fs/cgroup"
	ownGroup   = cgroupRoot + "/init"
)

// runJob runs a job in a control group of its own. An error means that the
// machine is broken, not the job.
func runJob(n int, job vmtest.Job, c *console) (*vmtest.Result, error) {
	group := fmt.Sprintf("%s/test-%d", cgroupRoot, n)
	if err := os.Mkdir(group, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.Open(group)
	if err != nil {
		return nil, err
	}
	defer dir.Close()

	cmd := exec.Command(job.Argv[0], job.Argv[1:]...) //nolint:noctx // the host ends a machine that takes too long
	cmd.Env, cmd.Dir = job.Env, job.Dir
	cmd.Stdout, cmd.Stderr = c, c
	// Born inside the group, so the runtime of the job sees its limits from
	// its first instruction on.
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	// A process that the job leaves behind may hold the pipe open.
	cmd.WaitDelay = 5 * time.Second

	start := time.Now()
	err = cmd.Run()
	result := &vmtest.Result{Seconds: time.Since(start).Seconds(), Detail: "exit status 0"}
	if err != nil {
		result.Detail = err.Error()
		result.Exit = -1
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		result.Exit = exit.ExitCode()
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			result.Exit = 128 + int(status.Signal())
		}
	} else if errors.Is(err, exec.ErrWaitDelay) {
		result.Exit = 0 // counted in Left
	}
	result.OOMKills = counter(group+"/memory.events", "oom_kill")
	if result.Left, err = clearAll(); err != nil {
		return nil, err
	}
	return result, nil
}

// clearAll clears every group but that of init: a job may have made more than
// the one it was born in.
func clearAll() (left int, err error) {
	entries, err := os.ReadDir(cgroupRoot)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		group := filepath.Join(cgroupRoot, e.Name())
		if !e.IsDir() || group == ownGroup {
			continue
		}
		n, err := clearGroup(group)
		if err != nil {
			return 0, err
		}
		left += n
	}
	return left, nil
}

const (
	// exitGrace is how long processes that are about to end may take.
	exitGrace = 2 * time.Second
	// killGrace is how long the kernel may take to end those that it killed.
	killGrace = 10 * time.Second
	tick      = 10 * time.Millisecond
)

// clearGroup kills what is left in a group, removes the group with all below
// it, and returns how many processes there were.
func clearGroup(group string) (left int, err error) {
	for deadline := time.Now().Add(exitGrace); ; time.Sleep(tick) {
		reap()
		if left, err = processes(group); err != nil {
			return 0, err
		}
		if left == 0 || time.Now().After(deadline) {
			break
		}
	}
	if err := os.WriteFile(filepath.Join(group, "cgroup.kill"), []byte("1"), 0); err != nil {
		return 0, err
	}
	for deadline := time.Now().Add(killGrace); ; time.Sleep(tick) {
		reap()
		if err = remove(group); err == nil {
			return left, nil
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("removing a control group: %w", err)
		}
	}
}

// processes returns how many processes there are in a group and below it.
func processes(group string) (n int, err error) {
	err = filepath.WalkDir(group, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == "cgroup.procs" {
			var procs []byte
			procs, err = os.ReadFile(path)
			n += len(strings.Fields(string(procs)))
		}
		return err
	})
	return n, err
}

// remove removes a group after those below it; the files in it are not real.
func remove(group string) error {
	entries, err := os.ReadDir(group)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := remove(filepath.Join(group, e.Name())); err != nil {
				return err
			}
		}
	}
	return unix.Rmdir(group)
}

// reap waits for the processes that lost their parents and became children of
// init. No job runs at that moment, so it takes no status from package exec.
func reap() {
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if pid <= 0 && !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// counter returns one number of a file of "name number" lines, 0 where there
// is none.
func counter(file, name string) int {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}
