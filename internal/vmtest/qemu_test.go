package vmtest_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/vmtest"
)

func TestArgs(t *testing.T) {
	t.Parallel()
	q := vmtest.QEMU{Kernel: "k", Initrd: "i", CPU: "cortex-a53", CPUs: 4, Memory: 512}
	args := q.Args()
	for _, pair := range [][2]string{
		{"-kernel", "k"}, {"-initrd", "i"}, {"-cpu", "cortex-a53"}, {"-smp", "4"}, {"-m", "512"}, {"-nic", "none"},
	} {
		at := slices.Index(args, pair[0])
		assert.True(t, at >= 0 && args[at+1] == pair[1], strings.Join(pair[:], " "))
	}
	assert.True(t, slices.Contains(args, "-no-reboot"), "a kernel that panics would boot again and again")
}

func fake(t *testing.T, what string) *vmtest.QEMU {
	t.Setenv(fakeEnv, what)
	self, err := os.Executable()
	assert.NoError(t, err)
	return &vmtest.QEMU{Binary: self, CPU: "x"}
}

func TestRun(t *testing.T) {
	var out strings.Builder
	report, err := fake(t, passing).Run(t.Context(), plan, &out)
	assert.NoError(t, err)
	assert.Equal(t, report.Machine.PageSize, 16384)
	assert.Equal(t, report.Failures, nil)
	assert.Equal(t, len(report.Results), 2)
	assert.Contains(t, out.String(), "ok  \tone\t1.250s\n", "some text\n")
}

func TestRunQEMUFails(t *testing.T) {
	_, err := fake(t, "|fail").Run(t.Context(), plan, &strings.Builder{})
	assert.ErrorContains(t, err, "before init ran", "exit status 1", "no such machine")
	_, err = fake(t, passing+"|fail").Run(t.Context(), plan, &strings.Builder{})
	assert.ErrorContains(t, err, "exit status 1", "no such machine")
	_, err = (&vmtest.QEMU{Binary: "/nonexistent/qemu"}).Run(t.Context(), plan, &strings.Builder{})
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// TestRunTimeout: the time that is left ends the machine, and the error says
// which job took it.
func TestRunTimeout(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := fake(t, boots+starts("one")+"working\n|hang").Run(ctx, plan, &strings.Builder{})
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, "time was up", "while one ran")
}

// TestRunNonsense: a console that cannot be followed ends the machine.
func TestRunNonsense(t *testing.T) {
	_, err := fake(t, vmtest.Mark+"{\n|hang").Run(t.Context(), plan, &strings.Builder{})
	assert.ErrorContains(t, err, "of the console")
}
