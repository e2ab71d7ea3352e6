package runtimex_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"time"

	"go.uber.org/automaxprocs/maxprocs"

	"github.com/grpcx-go/sdk/runtimex"
)

// The child of the integration tests is a process in a control group. It takes
// one command a line and answers each with one line of JSON. Events come as
// lines of their own.
const (
	liveMode = "live"
	specEnv  = "RUNTIMEX_TEST_SPEC"
)

// liveSpec says what the child does before its first command.
type liveSpec struct {
	// What the program sets itself, before Apply.
	Procs, GOGC int
	Limit       int64
	// Automaxprocs calls that instead of Apply, and Bare neither.
	Automaxprocs, Bare bool

	Policy             string
	Mode               runtimex.Mode
	Poll               time.Duration
	NoEvents, Override bool
	Guard              runtimex.GCGuard
}

func (s liveSpec) options(observe func(runtimex.Event)) []runtimex.Option {
	opts := []runtimex.Option{
		runtimex.WithLogger(slog.New(slog.DiscardHandler)),
		runtimex.WithObserver(observe),
		runtimex.WithPollInterval(s.Poll),
	}
	switch s.Policy {
	case "", "native":
	case "ceil":
		opts = append(opts, runtimex.WithPolicy(runtimex.Ceil()))
	case "floor":
		opts = append(opts, runtimex.WithPolicy(runtimex.Floor()))
	default:
		opts = append(opts, runtimex.WithPolicy(runtimex.Rounding(s.Policy, nil))) // refused
	}
	if s.Mode != "" {
		opts = append(opts, runtimex.WithMode(s.Mode))
	}
	if s.NoEvents {
		opts = append(opts, runtimex.WithoutEvents())
	}
	if s.Override {
		opts = append(opts, runtimex.OverrideEnv())
	}
	if s.Guard != (runtimex.GCGuard{}) {
		opts = append(opts, runtimex.WithGCGuard(s.Guard))
	}
	return opts
}

// liveMessage is a line of the child's output.
type liveMessage struct {
	At    time.Time
	State *liveState  `json:",omitempty"`
	Load  *loadResult `json:",omitempty"`
	Event *liveEvent  `json:",omitempty"`
	Error string      `json:",omitempty"`
}

// liveState is what the child is at the moment.
type liveState struct {
	Procs, NumCPU int
	Limit, GOGC   int64
	InUse         int64 // what counts against the limit
	Report        runtimex.Report
	Limits        runtimex.Limits // as the controller last read them
}

// liveEvent is an event of any kind.
type liveEvent struct {
	Kind     string
	Knob     runtimex.Knob     `json:",omitempty"`
	Was      int64             `json:",omitempty"`
	Now      runtimex.Snapshot `json:",omitzero"`
	Fraction float64           `json:",omitempty"`
	Text     string            `json:",omitempty"`
}

type liveChild struct {
	spec    liveSpec
	handles []*runtimex.Controller
	limits  *runtimex.Controller
	idle    chan struct{} // closed to end what keeps the child busy
	garbage [][]byte

	mu  sync.Mutex
	out *json.Encoder
}

// live runs the child until its input ends.
func live() error {
	c := &liveChild{out: json.NewEncoder(os.Stdout)}
	if text := os.Getenv(specEnv); text != "" {
		if err := json.Unmarshal([]byte(text), &c.spec); err != nil {
			return err
		}
	}
	if c.spec.Procs > 0 {
		setProcs(c.spec.Procs)
	}
	if c.spec.Limit > 0 {
		debug.SetMemoryLimit(c.spec.Limit)
	}
	if c.spec.GOGC != 0 {
		debug.SetGCPercent(c.spec.GOGC)
	}
	if c.spec.Automaxprocs {
		if _, err := maxprocs.Set(); err != nil {
			return err
		}
	} else if !c.spec.Bare {
		if err := c.apply(); err != nil {
			return err
		}
	}
	c.send(liveMessage{State: c.state()})
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := c.send(c.do(strings.Fields(lines.Text()))); err != nil {
			return err
		}
	}
	return nil
}

func (c *liveChild) do(command []string) liveMessage {
	err := errors.ErrUnsupported
	switch name, args := command[0], strings.Join(command[1:], " "); name {
	case "state":
		err = nil
	case "apply":
		err = c.apply()
	case "undo":
		err = c.undo()
	case "policy":
		c.spec.Policy, err = args, nil
	case "busy":
		err = c.busy()
	case "idle":
		close(c.idle)
		err = nil
	case "procs", "limit", "gogc":
		var n int64
		if _, err = fmt.Sscan(args, &n); err == nil {
			map[string]func(){
				"procs": func() { setProcs(int(n)) },
				"limit": func() { debug.SetMemoryLimit(n) },
				"gogc":  func() { debug.SetGCPercent(int(n)) },
			}[name]()
		}
	case "garbage":
		err = c.makeGarbage(args)
	case "load":
		var spec loadSpec
		if err = json.Unmarshal([]byte(args), &spec); err == nil {
			result := spec.run()
			return liveMessage{Load: &result}
		}
	}
	if err != nil {
		return liveMessage{Error: fmt.Sprintf("%q: %v", command, err)}
	}
	return liveMessage{State: c.state()}
}

func (c *liveChild) apply() error {
	var opts []runtimex.Option
	if len(c.handles) == 0 {
		opts = c.spec.options(c.observe)
	}
	handle, err := runtimex.Apply(opts...)
	if err == nil {
		c.handles, c.limits = append(c.handles, handle), handle
	}
	return err
}

// undo gives the last handle back, several times at once.
func (c *liveChild) undo() error {
	if len(c.handles) == 0 {
		return errors.New("nothing is applied")
	}
	last := len(c.handles) - 1
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(c.handles[last].Undo)
	}
	wg.Wait()
	c.handles = c.handles[:last]
	return nil
}

// busy keeps a thread running Go code until "idle".
func (c *liveChild) busy() error {
	stop := make(chan struct{})
	c.idle = stop
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	return nil
}

// makeGarbage fills that many MiB of heap and then lets go of it, without a
// collection that would find out.
func (c *liveChild) makeGarbage(mib string) error {
	var n int
	if _, err := fmt.Sscan(mib, &n); err != nil {
		return err
	}
	for range n {
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += os.Getpagesize() {
			block[i] = 1
		}
		c.garbage = append(c.garbage, block)
	}
	c.garbage = nil
	return nil
}

func (c *liveChild) state() *liveState {
	samples := []metrics.Sample{
		{Name: "/gc/gogc:percent"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	s := &liveState{
		Procs: runtime.GOMAXPROCS(0), NumCPU: runtime.NumCPU(),
		Limit:  debug.SetMemoryLimit(-1),
		GOGC:   int64(samples[0].Value.Uint64()),
		InUse:  int64(samples[1].Value.Uint64() - samples[2].Value.Uint64()),
		Report: runtimex.Current(),
	}
	if c.limits != nil {
		s.Limits = c.limits.Limits()
	}
	return s
}

func (c *liveChild) observe(event runtimex.Event) {
	var e liveEvent
	switch event := event.(type) {
	case runtimex.Tuned:
		e = liveEvent{Kind: "tuned", Knob: event.Knob, Was: event.Was, Now: event.Now}
	case runtimex.GCPressure:
		e = liveEvent{Kind: "pressure", Fraction: event.Fraction}
	case runtimex.GCRelieved:
		e = liveEvent{Kind: "relieved", Fraction: event.Fraction}
	case runtimex.Degraded:
		e = liveEvent{Kind: "degraded", Text: event.Err.Error()}
	case runtimex.Recovered:
		e = liveEvent{Kind: "recovered"}
	default:
		e = liveEvent{Kind: fmt.Sprintf("%T", event)}
	}
	_ = c.send(liveMessage{Event: &e}) // the loop of commands sees the error too
}

func (c *liveChild) send(m liveMessage) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.At = time.Now()
	return c.out.Encode(m)
}
