package cgrouptest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The janitor is a process that outlives the tests, however they end: a
// timeout of go test runs no cleanup. It is told of every group and removes
// those that are left when its standard input ends.
var (
	startJanitor = sync.OnceValue(func() error {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), janitorEnv+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is meant for the tests
		if janitor, err = cmd.StdinPipe(); err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		waitForJanitor = cmd.Wait
		return nil
	})
	janitor        io.WriteCloser
	waitForJanitor func() error
)

// Close ends what this process started for [New], after the last test.
func Close() {
	if waitForJanitor != nil {
		janitor.Close()
		_ = waitForJanitor() // it reports nothing
	}
}

func tellJanitor(sign, dir string) { fmt.Fprintln(janitor, sign+dir) }

func runJanitor(orders io.Reader) {
	var dirs []string
	for lines := bufio.NewScanner(orders); lines.Scan(); {
		sign, dir := lines.Text()[:1], lines.Text()[1:]
		if sign == "+" {
			dirs = append(dirs, dir)
		} else {
			dirs = slices.DeleteFunc(dirs, func(d string) bool { return d == dir })
		}
	}
	for _, dir := range slices.Backward(dirs) {
		_ = remove(dir) // nobody is left to be told
	}
}

// remove removes a group that has no groups below it. Processes in it are
// killed.
func remove(dir string) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		err := syscall.Rmdir(dir)
		if err == nil || errors.Is(err, syscall.ENOENT) {
			return nil
		}
		if !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline) {
			return fmt.Errorf("%s: %w", dir, err)
		}
		procs, err := os.ReadFile(filepath.Join(dir, procsFile))
		if err != nil {
			return err
		}
		for pid := range strings.FieldsSeq(string(procs)) {
			if n, err := strconv.Atoi(pid); err == nil && n > 1 {
				_ = syscall.Kill(n, syscall.SIGKILL) // it may just have ended
			}
		}
	}
}
