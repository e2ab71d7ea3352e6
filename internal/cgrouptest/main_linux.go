package cgrouptest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Variables that turn a test binary into a helper of this package.
const (
	stubEnv    = "CGROUPTEST_STUB"
	janitorEnv = "CGROUPTEST_JANITOR"
)

// ExitUnsupported is the exit status of a process that could not be placed as
// asked, because the kernel refuses it.
const ExitUnsupported = 125

// Main is called first in TestMain. It returns at once, unless this process is
// one that the package started from the test binary.
func Main() {
	if text := os.Getenv(stubEnv); text != "" {
		err := runStub(text)
		fmt.Fprintf(os.Stderr, "cgrouptest: %v\n", err)
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
			os.Exit(ExitUnsupported)
		}
		os.Exit(1)
	}
	if os.Getenv(janitorEnv) != "" {
		runJanitor(os.Stdin)
		os.Exit(0)
	}
}

// stub says what the test binary does before it becomes the wanted program.
type stub struct {
	Path string   `json:"path"`
	Join []string `json:"join"`
	CPUs []int    `json:"cpus"`
	View View     `json:"view"`
	Dirs []string `json:"dirs"` // of the group, for the view
}

// runStub places this process and then replaces it, so that the runtime of the
// wanted program finds everything in place when it first looks.
func runStub(text string) error {
	var s stub
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	// Affinity and namespaces are a thread's; exec keeps those of its caller.
	runtime.LockOSThread()
	for _, dir := range s.Join {
		if err := write(dir, procsFile, "0"); err != nil {
			return err
		}
	}
	if len(s.CPUs) > 0 {
		var set unix.CPUSet
		for _, cpu := range s.CPUs {
			set.Set(cpu)
		}
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			return fmt.Errorf("sched_setaffinity: %w", err)
		}
	}
	if err := s.View.apply(s.Dirs); err != nil {
		return fmt.Errorf("view %s: %w", s.View, err)
	}
	if err := os.Unsetenv(stubEnv); err != nil {
		return err
	}
	return &exec.Error{Name: s.Path, Err: unix.Exec(s.Path, os.Args, os.Environ())}
}
