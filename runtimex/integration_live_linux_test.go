package runtimex_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/cgrouptest"
	"github.com/grpcx-go/sdk/runtimex"
)

// These tests tune a child process inside real control groups: of cgroup v1 or
// v2, whichever there is. They do not run in parallel, since they measure time
// on few CPUs. GRPCX_LOAD=1 adds those that take minutes.

// patience is an upper bound for what should take a moment; emulated machines
// are slow.
const patience = 30 * time.Second

// liveProcess is the child, seen from the test.
type liveProcess struct {
	t       *testing.T
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	replies chan liveMessage
	events  chan liveMessage
	stderr  bytes.Buffer
	end     func() error // waits for the end of the process

	// first is the state before the first command.
	first liveState
}

// startLive starts the child inside the group and waits until Apply is done.
func startLive(t *testing.T, g *cgrouptest.Group, p cgrouptest.Placement, spec liveSpec, env ...string) *liveProcess {
	t.Helper()
	self, err := os.Executable()
	assert.NoError(t, err)
	return startProgram(t, self, g, p, spec, env...)
}

// startProgram is startLive for another program that speaks as the child does.
func startProgram(t *testing.T, path string, g *cgrouptest.Group, p cgrouptest.Placement, spec liveSpec, env ...string) *liveProcess {
	t.Helper()
	text, err := json.Marshal(spec)
	assert.NoError(t, err)
	l := &liveProcess{
		t: t, cmd: exec.Command(path),
		replies: make(chan liveMessage, 16), events: make(chan liveMessage, 1024),
	}
	l.cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains([]string{"GOMAXPROCS", "GOMEMLIMIT", "GOGC", "GODEBUG"}, name)
	})
	l.cmd.Env = append(l.cmd.Env, childEnv+"="+liveMode, specEnv+"="+string(text), "GORACE=atexit_sleep_ms=0")
	l.cmd.Env = append(l.cmd.Env, env...)
	l.cmd.Stderr = &l.stderr
	l.stdin, err = l.cmd.StdinPipe()
	assert.NoError(t, err)
	stdout, err := l.cmd.StdoutPipe()
	assert.NoError(t, err)
	assert.NoError(t, g.Start(l.cmd, p))
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(l.replies)
		defer close(l.events)
		for dec := json.NewDecoder(stdout); ; {
			var m liveMessage
			if dec.Decode(&m) != nil {
				return
			}
			if m.Event != nil {
				l.events <- m
			} else {
				l.replies <- m
			}
		}
	}()
	l.end = sync.OnceValue(func() error {
		<-read
		return l.cmd.Wait()
	})
	t.Cleanup(func() {
		l.stdin.Close()
		timer := time.AfterFunc(patience, func() { l.cmd.Process.Kill() })
		defer timer.Stop()
		l.end()
	})
	select {
	case m, ok := <-l.replies:
		if !ok {
			err := l.end()
			if l.cmd.ProcessState.ExitCode() == cgrouptest.ExitUnsupported {
				t.Skip(l.stderr.String())
			}
			t.Fatalf("the child ended: %v\n%s", err, l.stderr.String())
		}
		l.first = *m.State
	case <-time.After(patience):
		t.Fatal("the child does not start")
	}
	return l
}

// do sends a command and returns the answer.
func (l *liveProcess) do(command string, args ...any) liveMessage {
	l.t.Helper()
	m, err := l.try(command, args...)
	assert.NoError(l.t, err)
	return m
}

// try is do for commands that may end the child.
func (l *liveProcess) try(command string, args ...any) (liveMessage, error) {
	l.t.Helper()
	if _, err := fmt.Fprintf(l.stdin, command+"\n", args...); err != nil {
		return liveMessage{}, err
	}
	select {
	case m, ok := <-l.replies:
		if !ok {
			return liveMessage{}, fmt.Errorf("the child ended: %v\n%s", l.end(), l.stderr.String())
		}
		if m.Error != "" {
			l.t.Fatalf("the child refuses %s", m.Error)
		}
		return m, nil
	case <-time.After(10 * patience):
		return liveMessage{}, fmt.Errorf("the child does not answer %q", command)
	}
}

func (l *liveProcess) state() liveState {
	l.t.Helper()
	return *l.do("state").State
}

// eventually asks the child for its state until it is as wanted, which keeps it
// from being idle. For an idle child, see tuned.
func (l *liveProcess) eventually(what string, wanted func(liveState) bool) time.Duration {
	l.t.Helper()
	start := time.Now()
	for deadline := time.After(patience); ; {
		s := l.state()
		if wanted(s) {
			return time.Since(start)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			l.t.Fatalf("%s: not within %v; procs %d, limit %d, report %+v", what, patience, s.Procs, s.Limit, s.Report)
		}
	}
}

// tuned waits for the child to report that the knob has the value, and returns
// how long after since that was. The child is left alone meanwhile.
func (l *liveProcess) tuned(knob runtimex.Knob, value int64, since time.Time) time.Duration {
	l.t.Helper()
	return l.event(fmt.Sprintf("%s = %d", knob, value), func(e liveEvent) bool {
		return e.Kind == "tuned" && e.Knob == knob && e.Now.Value == value
	}).At.Sub(since)
}

// event waits for an event; others before it are dropped.
func (l *liveProcess) event(what string, wanted func(liveEvent) bool) liveMessage {
	l.t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case m, ok := <-l.events:
			if !ok {
				l.t.Fatalf("%s: the child ended: %v\n%s", what, l.end(), l.stderr.String())
			}
			if wanted(*m.Event) {
				return m
			}
		case <-deadline:
			l.t.Fatalf("%s: no such event within %v", what, patience)
		}
	}
}

// seen drops and returns the events that have come.
func (l *liveProcess) seen() []liveEvent {
	var all []liveEvent
	for {
		select {
		case m, ok := <-l.events:
			if !ok {
				return all
			}
			all = append(all, *m.Event)
		default:
			return all
		}
	}
}

// setAffinity binds all threads of the child.
func (l *liveProcess) setAffinity(cpus ...int) {
	l.t.Helper()
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", l.cmd.Process.Pid))
	assert.NoError(l.t, err)
	for _, thread := range threads {
		var tid int
		_, err := fmt.Sscan(thread.Name(), &tid)
		assert.NoError(l.t, err)
		assert.NoError(l.t, unix.SchedSetaffinity(tid, &set))
	}
}

// liveCPUs are the CPUs that this process may use.
func liveCPUs(t *testing.T) []int {
	t.Helper()
	var set unix.CPUSet
	assert.NoError(t, unix.SchedGetaffinity(0, &set))
	var all []int
	for cpu := 0; len(all) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			all = append(all, cpu)
		}
	}
	return all
}

// quotas are two CPU quotas with different outcomes under the policy, neither
// of them what the runtime uses without a quota unless there are few CPUs.
type quotas struct {
	policy    string
	low, high float64
}

func liveQuotas(t *testing.T) quotas {
	t.Helper()
	switch n := len(liveCPUs(t)); {
	case n > 5:
		return quotas{"native", 3, 5}
	case n > 1:
		return quotas{"ceil", 1, 2}
	default:
		t.Skip("one CPU is too few to tell outcomes apart")
		return quotas{}
	}
}

// fullLoad says whether to run what is too slow for every day.
func fullLoad() bool { return os.Getenv("GRPCX_LOAD") != "" }

func needFullLoad(t *testing.T) {
	t.Helper()
	if !fullLoad() {
		t.Skip("GRPCX_LOAD=1 runs it")
	}
}

// needPlainMemory skips tests that fill a group's memory to the brim: the race
// detector uses several times as much.
func needPlainMemory(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector's memory counts too")
	}
}
