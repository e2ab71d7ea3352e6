package migrate_test

import (
	"context"
	"fmt"
	"math"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/channelz/grpc_channelz_v1"
	"google.golang.org/grpc/codes"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/internal/assert"
)

// The table of docs/migrating.md is what a client sees of each program.
func TestSeen(t *testing.T) {
	table := readTable(t)
	for _, p := range programs {
		t.Run(p.dir, func(t *testing.T) {
			t.Parallel()
			binary := p.build(t)
			seen := observe(t, p, binary)
			assert.Equal(t, len(seen), len(table), "every row is observed")
			for row, got := range seen {
				want, ok := p.differs[row]
				if !ok {
					want, ok = table[row][p.column]
				}
				if !ok || !agree(want, got) {
					t.Errorf("%s: %s: saw %q, want %q", p.dir, row, got, want)
				}
			}
		})
	}
}

// TestAgree shows that the comparison can fail.
func TestAgree(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		want, got string
		ok        bool
	}{
		{"yes", "yes", true},
		{"yes", "no", false},
		{"5 s", "6.2 s", true},
		{"5 s", "3 s", false},
		{"0 s", "5 s", false},
		{"5 s", "5 s, killed", false},
		{"not within 8 s", "5 s", false},
	} {
		assert.Equal(t, agree(tt.want, tt.got), tt.ok, tt.want+" and "+tt.got)
	}
}

// readTable returns the cells of the table by row and column.
func readTable(t *testing.T) map[string]map[string]string {
	t.Helper()
	_, text, ok := strings.Cut(readText(t, docs+"migrating.md"), "<!-- seen -->\n")
	assert.True(t, ok, "the page has the table")
	text, _, _ = strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	head := cells(lines[0])
	table := map[string]map[string]string{}
	for _, line := range lines[2:] {
		row := cells(line)
		assert.Equal(t, len(row), len(head), line)
		table[row[0]] = map[string]string{}
		for i := range row {
			table[row[0]][head[i]] = row[i]
		}
	}
	return table
}

func cells(line string) []string {
	cells := strings.Split(strings.Trim(line, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

var seconds = regexp.MustCompile(`^([\d.]+) s(.*)$`)

// agree allows durations to be 1.5 s off: the machine may be busy.
func agree(want, got string) bool {
	a, b := seconds.FindStringSubmatch(want), seconds.FindStringSubmatch(got)
	if a == nil || b == nil {
		return want == got
	}
	var x, y float64
	_, _ = fmt.Sscan(a[1], &x)
	_, _ = fmt.Sscan(b[1], &y)
	return a[2] == b[2] && math.Abs(x-y) <= 1.5
}

// observe makes each row of a program.
func observe(t *testing.T, p program, binary string) map[string]string {
	seen := map[string]string{}
	run := p.start(t, binary)
	_, err := run.client.Greet(patience(t), &greet.GreetRequest{Name: "unknown"})
	seen[rowStatus] = told(err)
	_, err = run.client.Greet(patience(t), &greet.GreetRequest{Name: "mistake"})
	seen[rowError] = told(err)
	reply, err := run.client.Greet(patience(t), &greet.GreetRequest{Name: "deadline"})
	assert.NoError(t, err)
	seen[rowDeadline] = reply.GetGreeting()
	seen[rowHealth] = health(t, run)
	seen[rowReflection] = yesNo(reflects(t, run)) + ", " + yesNo(hasChannelz(t, run))
	if p.also != nil {
		p.also(t, run)
	}

	watches := watch(t, run)
	seen[rowWatch] = yesNo(watches)
	term := time.Now()
	assert.NoError(t, run.Process.Signal(syscall.SIGTERM))
	seen[rowAccepts] = fmt.Sprintf("%.1f s", accepts(t, run.addr).Sub(term).Seconds())
	const limit = 8 * time.Second
	if !run.endsWithin(time.Until(term.Add(limit))) {
		seen[rowEnds] = "not within 8 s"
	} else {
		seen[rowEnds] = fmt.Sprintf("%.1f s", time.Since(term).Seconds())
		if ws, ok := run.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			seen[rowEnds] += ", killed"
		}
	}

	run = p.start(t, binary)
	_, err = run.client.Greet(patience(t), &greet.GreetRequest{Name: "panic"})
	seen[rowPanic] = survived(run, err)
	if seen[rowPanic] == processEnds {
		run = p.start(t, binary)
	}
	stream, err := run.client.GreetEach(patience(t))
	assert.NoError(t, err)
	assert.NoError(t, stream.Send(&greet.GreetRequest{Name: "panic"}))
	_, err = stream.Recv()
	seen[rowStreamPanic] = survived(run, err)
	return seen
}

var errorID = regexp.MustCompile(`id [0-9a-f]{16}$`)

// told is what the client was told.
func told(err error) string {
	st := status.Convert(err)
	text := errorID.ReplaceAllString(st.Message(), "id …")
	if first, rest, _ := strings.Cut(text, "\n"); strings.Contains(rest, "goroutine ") {
		text = first + ", and the stack"
	}
	return fmt.Sprintf("`%v`: %s", st.Code(), text)
}

const processEnds = "the process ends"

func survived(run *process, err error) string {
	if status.Code(err) == codes.Unavailable && run.endsWithin(5*time.Second) {
		return processEnds
	}
	return told(err)
}

func health(t *testing.T, run *process) string {
	var all []string
	for _, name := range []string{"", greet.Greeter_ServiceDesc.ServiceName, "liveness"} {
		reply, err := healthgrpc.NewHealthClient(run.conn).Check(patience(t), &healthgrpc.HealthCheckRequest{Service: name})
		if err != nil {
			all = append(all, status.Code(err).String())
		} else {
			all = append(all, reply.GetStatus().String())
		}
	}
	return strings.Join(all, ", ")
}

// watch leaves a stream open.
func watch(t *testing.T, run *process) bool {
	stream, err := healthgrpc.NewHealthClient(run.conn).Watch(patience(t), &healthgrpc.HealthCheckRequest{})
	assert.NoError(t, err)
	_, err = stream.Recv()
	return err == nil
}

func reflects(t *testing.T, run *process) bool {
	ctx, cancel := context.WithCancel(patience(t))
	defer cancel() // an open stream would hold up the drain
	stream, err := grpc_reflection_v1.NewServerReflectionClient(run.conn).ServerReflectionInfo(ctx)
	assert.NoError(t, err)
	_ = stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{ListServices: "*"},
	})
	reply, err := stream.Recv()
	return err == nil && len(reply.GetListServicesResponse().GetService()) > 0
}

func hasChannelz(t *testing.T, run *process) bool {
	_, err := grpc_channelz_v1.NewChannelzClient(run.conn).GetServers(patience(t), &grpc_channelz_v1.GetServersRequest{})
	return err == nil
}

// accepts returns when the address no longer accepts connections.
func accepts(t *testing.T, addr string) time.Time {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(20 * time.Second); time.Now().Before(limit); <-tick.C {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return time.Now()
		}
		_ = conn.Close()
	}
	t.Fatal("it accepts connections for ever")
	return time.Time{}
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
