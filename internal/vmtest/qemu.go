package vmtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"time"
)

// QEMU is a virtual machine that has not been started.
type QEMU struct {
	// Binary is the qemu-system-aarch64 command.
	Binary string
	// Kernel and Initrd are files on the host.
	Kernel, Initrd string
	// CPU is the model, a value of qemu's -cpu.
	CPU string
	// CPUs is their number.
	CPUs int
	// Memory is in MiB.
	Memory int
}

// Args is the command line without the command.
func (q *QEMU) Args() []string {
	return []string{
		// The third version of the interrupt controller: the second has a
		// limit of eight processors.
		"-M", "virt,gic-version=3", "-cpu", q.CPU, "-smp", strconv.Itoa(q.CPUs), "-m", strconv.Itoa(q.Memory),
		"-accel", "tcg,thread=multi",
		"-display", "none", "-serial", "stdio", "-monitor", "none", "-nic", "none",
		// A panic restarts at once (panic=-1), which ends qemu.
		"-no-reboot",
		"-kernel", q.Kernel, "-initrd", q.Initrd,
		"-append", "console=ttyAMA0 panic=-1 quiet",
	}
}

// Run boots the machine, copies what the jobs print to out, and waits until
// the machine has powered itself off. It returns the results of all jobs of
// the plan, or an error that says what happened to the machine.
func (q *QEMU) Run(ctx context.Context, plan Plan, out io.Writer) (*Report, error) {
	// The context ends qemu when the console makes no sense.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, q.Binary, q.Args()...)
	cmd.WaitDelay = 5 * time.Second
	var stderr tail
	cmd.Stderr = &stderr
	console, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	report, readErr := Read(console, plan, out)
	if readErr != nil && ctx.Err() == nil {
		cancel()
	}
	waitErr := cmd.Wait()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return report, fmt.Errorf("the machine was stopped when its time was up: %w", errors.Join(ctx.Err(), readErr))
	case readErr != nil:
		return report, fmt.Errorf("%w\n%s", errors.Join(readErr, waitErr), stderr.String())
	case waitErr != nil:
		return report, fmt.Errorf("qemu: %w\n%s", waitErr, stderr.String())
	}
	return report, nil
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-tailSize):]
	return len(p), nil
}

func (t *tail) String() string { return string(t.b) }
