package grpcx_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// Methods of drainService as DrainError names them.
const (
	openMethod    = "grpc.testing.TestService/FullDuplexCall"
	ignoredMethod = "grpc.testing.TestService/StreamingInputCall"
	endlessMethod = "grpc.testing.TestService/StreamingOutputCall"
)

type hostileCase struct {
	name         string
	peers        []hostilePeer
	tasks, hooks int
	mutual       bool             // over mutual TLS only
	want         grpcx.DrainError // zero means that Run returns nil
}

var hostileCases = []hostileCase{
	{name: "silent TCP", peers: []hostilePeer{silentPeer}},
	{name: "silent probe", peers: []hostilePeer{silentProbePeer}},
	{name: "half an admin request", peers: []hostilePeer{halfRequestPeer}},
	{name: "admin profile", peers: []hostilePeer{profilePeer}},
	{name: "half a ClientHello", peers: []hostilePeer{halfHelloPeer}, mutual: true},
	{name: "quiet after TLS", peers: []hostilePeer{quietTLSPeer}, mutual: true},
	{name: "half a preface", peers: []hostilePeer{halfPrefacePeer}},
	{name: "health watch", peers: []hostilePeer{
		watchPeer("grpc.testing.TestService", healthpb.HealthCheckResponse_SERVING)}},
	{name: "health watch of an unknown service", peers: []hostilePeer{
		watchPeer("no.Such", healthpb.HealthCheckResponse_SERVICE_UNKNOWN)}},
	{name: "open stream", peers: []hostilePeer{streamPeer},
		want: grpcx.DrainError{Aborted: []string{openMethod}, Connections: 1}},
	{name: "zero window", peers: []hostilePeer{zeroWindowPeer}, want: grpcx.DrainError{Connections: 1}},
	{name: "stopped reading", peers: []hostilePeer{deafPeer},
		want: grpcx.DrainError{Aborted: []string{endlessMethod}, Connections: 1}},
	{name: "answers no ping", peers: []hostilePeer{rudePeer}, want: grpcx.DrainError{Connections: 1}},
	{name: "handler ignores its context", peers: []hostilePeer{ignoredPeer},
		want: grpcx.DrainError{Aborted: []string{ignoredMethod}, Stuck: []string{ignoredMethod}, Connections: 1}},
	{name: "handler called Goexit", peers: []hostilePeer{goexitPeer}},
	{name: "hanging task", tasks: 1, want: grpcx.DrainError{Tasks: []string{"task"}}},
	{name: "hanging hook", hooks: 1, want: grpcx.DrainError{Hooks: []string{"hook"}}},
	everything(),
}

// everything is all of the others at once.
func everything() hostileCase {
	return hostileCase{
		name: "all at once", tasks: 1, hooks: 1,
		peers: []hostilePeer{
			silentPeer, silentProbePeer, halfRequestPeer, profilePeer, halfPrefacePeer,
			watchPeer("grpc.testing.TestService", healthpb.HealthCheckResponse_SERVING),
			watchPeer("no.Such", healthpb.HealthCheckResponse_SERVICE_UNKNOWN),
			streamPeer, zeroWindowPeer, deafPeer, rudePeer, ignoredPeer, goexitPeer,
		},
		want: grpcx.DrainError{
			Aborted: []string{openMethod, ignoredMethod, endlessMethod}, Stuck: []string{ignoredMethod},
			Connections: 5, Tasks: []string{"task"}, Hooks: []string{"hook"},
		},
	}
}

// overTransports runs a test in plaintext and over mutual TLS.
func overTransports(t *testing.T, test func(t *testing.T, mutual bool)) {
	t.Run("plaintext", func(t *testing.T) { test(t, false) })
	t.Run("mutual TLS", func(t *testing.T) { test(t, true) })
}

// Whatever peers, handlers, tasks and hooks do, the drain of a process ends
// within its bounds, and its error names what was abandoned and nothing else.
func TestSIGTERMAlwaysEnds(t *testing.T) {
	drain := grpcx.Drain{Delay: 200 * time.Millisecond, Timeout: 800 * time.Millisecond, Stop: 600 * time.Millisecond}
	limit := drain.Delay + drain.Timeout + drain.Stop + time.Second
	overTransports(t, func(t *testing.T, mutual bool) {
		for _, test := range hostileCases {
			if test.mutual && !mutual {
				continue
			}
			if mutual && test.name == "all at once" {
				test.peers = append(slices.Clone(test.peers), halfHelloPeer, quietTLSPeer)
			}
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				c := startDrainChild(t, drainSpec{Drain: drain, Tasks: test.tasks, Hooks: test.hooks}, mutual)
				for _, peer := range test.peers {
					peer(t, c)
				}
				begin := time.Now()
				c.signal(t, syscall.SIGTERM)
				got, took := c.stopped(t, begin)
				t.Logf("Run returned after %v: %s", took, got.Error)
				assert.True(t, took <= limit, took.String())
				if got.Drain == nil {
					assert.Equal(t, got.Error, "")
					got.Drain = new(grpcx.DrainError)
				}
				assert.Equal(t, *got.Drain, test.want)
				for _, check := range c.after {
					check()
				}
			})
		}
	})
}

// Idle clients, however many, do not hold up the drain.
func TestSIGTERMWithIdleClients(t *testing.T) {
	const clients = 50
	overTransports(t, func(t *testing.T, mutual bool) {
		delay := 200 * time.Millisecond
		c := startDrainChild(t, drainSpec{Drain: grpcx.Drain{Delay: delay}}, mutual)
		conns := make([]*grpc.ClientConn, clients)
		var ready sync.WaitGroup
		for i := range conns {
			conns[i] = c.dial(t)
			ready.Go(func() {
				if _, err := testgrpc.NewTestServiceClient(conns[i]).EmptyCall(t.Context(), &testgrpc.Empty{}); err != nil {
					t.Error(err)
				}
			})
		}
		ready.Wait()
		begin := time.Now()
		c.signal(t, syscall.SIGTERM)
		got, took := c.stopped(t, begin)
		t.Logf("Run returned after %v", took)
		assert.Equal(t, got.Error, "")
		assert.True(t, took >= delay && took < delay+time.Second, took.String())
	})
}

// longDrain is never waited for.
var longDrain = grpcx.Drain{Delay: time.Minute, Timeout: time.Minute, Stop: time.Minute}

func TestSIGINTSkipsTheDelay(t *testing.T) {
	overTransports(t, func(t *testing.T, mutual bool) {
		c := startDrainChild(t, drainSpec{Drain: longDrain}, mutual)
		_, err := testgrpc.NewTestServiceClient(c.dial(t)).EmptyCall(t.Context(), &testgrpc.Empty{})
		assert.NoError(t, err)
		begin := time.Now()
		c.signal(t, os.Interrupt)
		got, took := c.stopped(t, begin)
		t.Logf("Run returned after %v", took)
		assert.Equal(t, got.Error, "")
		assert.True(t, took < time.Second, took.String())
	})
}

// A second signal ends the process at once, whatever hangs and however much.
func TestSecondSIGTERM(t *testing.T) {
	for _, test := range []struct {
		name   string
		first  os.Signal
		second os.Signal
	}{
		{"in the delay", syscall.SIGTERM, syscall.SIGTERM},
		{"after it", os.Interrupt, syscall.SIGTERM},
		{"SIGINT", syscall.SIGTERM, os.Interrupt},
	} {
		t.Run(test.name, func(t *testing.T) {
			overTransports(t, func(t *testing.T, mutual bool) {
				all := everything()
				c := startDrainChild(t, drainSpec{Drain: longDrain, Tasks: 20, Hooks: 20}, mutual)
				for _, peer := range all.peers {
					peer(t, c)
				}
				watch, err := healthpb.NewHealthClient(c.dial(t)).Watch(t.Context(), &healthpb.HealthCheckRequest{})
				assert.NoError(t, err)
				_, err = watch.Recv()
				assert.NoError(t, err)
				c.signal(t, test.first)
				told, err := watch.Recv() // the drain has begun
				assert.NoError(t, err)
				assert.Equal(t, told.GetStatus(), healthpb.HealthCheckResponse_NOT_SERVING)
				if test.first == os.Interrupt {
					_, err = watch.Recv() // and gone on
					assert.True(t, err != nil)
				}

				begin := time.Now()
				c.signal(t, test.second)
				got, took := c.stopped(t, begin)
				t.Logf("Run returned after %v: %s", took, got.Error)
				assert.True(t, took < 500*time.Millisecond, took.String())
				if got.Drain == nil {
					t.Fatalf("got %+v, want a DrainError", got)
				}
				assert.True(t, got.Drain.Hurried, "Hurried")
				assert.Equal(t, got.Drain.Aborted, all.want.Aborted)
				assert.Equal(t, len(got.Drain.Tasks), 20)
				assert.Equal(t, len(got.Drain.Hooks), 20)
			})
		})
	}
}

// The error says that the drain was cut short also when no call was.
func TestSecondSIGTERMWhileAHookHangs(t *testing.T) {
	c := startDrainChild(t, drainSpec{Drain: longDrain, Hooks: 1}, false)
	c.signal(t, os.Interrupt)
	waitFor(t, "the calls' end", func() bool { // the port is closed, the hook runs
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := testgrpc.NewTestServiceClient(c.dial(t)).EmptyCall(ctx, &testgrpc.Empty{})
		return err != nil
	})
	begin := time.Now()
	c.signal(t, syscall.SIGTERM)
	got, took := c.stopped(t, begin)
	assert.True(t, took < 500*time.Millisecond, took.String())
	if got.Drain == nil {
		t.Fatalf("got %+v, want a DrainError", got)
	}
	assert.Equal(t, *got.Drain, grpcx.DrainError{Hooks: []string{"hook"}, Hurried: true})
}
