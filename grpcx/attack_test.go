package grpcx_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// blocking is a service whose handlers run until their call has ended. The
// gauge counts them.
func blocking() (*service, *gauge) { return lingering(0, 0) }

// lingering is blocking, but handlers ignore the end of their call until so
// many ran at once, and for a moment after that.
func lingering(moment time.Duration, atOnce int) (*service, *gauge) {
	g := new(gauge)
	reached := make(chan struct{})
	var once sync.Once
	block := func(ctx context.Context) error {
		defer g.enter()()
		<-ctx.Done()
		if moment > 0 {
			if g.now.Load() >= int64(atOnce) {
				once.Do(func() { close(reached) })
			}
			select {
			case <-reached:
			case <-time.After(patience):
			}
			<-time.After(moment)
		}
		return ctx.Err()
	}
	return &service{
		unary:  block,
		duplex: func(s testgrpc.TestService_FullDuplexCallServer) error { return block(s.Context()) },
	}, g
}

// CVE-2023-44487 and what followed: a client that resets each call at once
// makes the server work, but never more than MaxConcurrentStreams at a time.
func TestRapidReset(t *testing.T) {
	for _, test := range []struct {
		name   string
		via    network
		limit  int // zero is the default
		resets int
		path   string
		linger time.Duration
	}{
		{"default limit, handlers outlive their calls", plaintext, 0, 30_000, duplexPath, 2 * time.Millisecond},
		{"limit 50, handlers outlive their calls", overTLS, 50, 5_000, duplexPath, 2 * time.Millisecond},
		{"limit 50, HEADERS", plaintext, 50, 30_000, duplexPath, 0},
		{"default limit, HEADERS and DATA", plaintext, 0, 10_000, unaryPath, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			limit := cmp.Or(test.limit, 250)
			svc, live := lingering(test.linger, limit)
			srv := newTarget(t, test.via, svc, grpcx.WithLimits(grpcx.Limits{MaxConcurrentStreams: test.limit}))
			assert.Equal(t, srv.Settings().Limits.MaxConcurrentStreams, limit)
			c := srv.attack(t)

			stop, honestCalls := make(chan struct{}), 0
			others := background(func() {
				for {
					srv.serves(t)
					honestCalls++
					select {
					case <-stop:
						return
					default:
					}
				}
			})
			begin := time.Now()
			resets := test.resets / slowdown
			for range resets {
				id := c.open(test.path, false)
				if test.path == unaryPath {
					c.data(id, true, empty)
				}
				c.reset(id)
			}
			assert.NoError(t, c.flush())
			// The answer to a last call: the server has seen all of it.
			assert.Equal(t, c.finalCall(), "status 0")
			took := time.Since(begin)
			close(stop)
			<-others
			t.Logf("%d resets in %v: %d handlers ran, at most %d at a time; %d honest calls meanwhile",
				resets, took.Round(time.Millisecond), live.total.Load(), live.peak.Load(), honestCalls)

			if peak := live.peak.Load(); peak > int64(limit) {
				t.Errorf("%d handlers ran at a time, want at most %d", peak, limit)
			}
			if live.total.Load() == 0 || test.linger > 0 && live.peak.Load() < int64(limit) {
				t.Error("the attack did not reach the limit; the test shows nothing")
			}
			waitFor(t, "the end of all handlers", func() bool { return live.now.Load() == 0 && len(srv.Running()) == 0 })
		})
	}
}

// finalCall makes an honest call on the attacker's connection, again while the
// server still counts reset calls, and says how it ended.
func (c *rawClient) finalCall() (end string) {
	c.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		id := c.open(emptyPath, false)
		c.data(id, true, empty)
		assert.NoError(c.t, c.flush())
		if end = c.outcome(id); end != "reset REFUSED_STREAM" || time.Now().After(deadline) {
			return end
		}
	}
}

// A connection gets MaxConcurrentStreams calls; further ones are refused while
// those are open, and others have their own.
func TestStreamFlood(t *testing.T) {
	for _, via := range []network{plaintext, overTLS} {
		t.Run(string(via), func(t *testing.T) {
			const limit, flood = 50, 1000
			svc, live := blocking()
			srv := newTarget(t, via, svc, grpcx.WithLimits(grpcx.Limits{MaxConcurrentStreams: limit}))
			c := srv.attack(t)
			assert.Equal(t, c.settings[http2.SettingMaxConcurrentStreams], uint32(limit), "SETTINGS_MAX_CONCURRENT_STREAMS:")
			for range flood {
				c.open(duplexPath, false)
			}
			assert.NoError(t, c.flush())
			c.await("the refusal of all but the first calls", func() bool { return len(c.ends) == flood-limit })
			assert.Equal(t, c.outcomes(), map[string]int{"reset REFUSED_STREAM": flood - limit})
			waitFor(t, "handlers for the first calls", func() bool { return live.now.Load() == limit })
			srv.serves(t)

			c.close()
			waitFor(t, "the end of all handlers", func() bool { return live.now.Load() == 0 })
			assert.Equal(t, live.total.Load(), int64(limit))
		})
	}
}

// Calls whose request never arrives in full occupy neither a handler nor a
// goroutine for longer than the first-message timeout.
func TestHalfSentCalls(t *testing.T) {
	for _, test := range []struct {
		via          network
		conns, calls int
	}{
		{plaintext, 1, 1000},
		{plaintext, 4, 250},
		{overTLS, 4, 250},
	} {
		t.Run(fmt.Sprintf("%s, %d connections with %d calls", test.via, test.conns, test.calls), func(t *testing.T) {
			const timeout = 300 * time.Millisecond
			svc, live := blocking()
			srv := newTarget(t, test.via, svc, grpcx.WithLimits(grpcx.Limits{
				MaxConcurrentStreams: test.calls, FirstMessageTimeout: timeout}))
			var clients []*rawClient
			for range test.conns {
				c := srv.attack(t)
				assert.Equal(t, c.finalCall(), "status 0") // all its goroutines run
				clients = append(clients, c)
			}
			srv.serves(t)
			baseline := runtime.NumGoroutine()

			begin := time.Now()
			for _, c := range clients {
				var id uint32
				for i := range test.calls {
					path := unaryPath
					if i%4 == 3 {
						path = outputPath
					}
					id = c.open(path, false)
					switch i % 3 {
					case 1: // half a message in a whole frame
						c.data(id, false, message(false, 100, make([]byte, 50)))
					case 2: // half its length
						c.data(id, false, []byte{0, 0, 0})
					}
				}
				// Half a DATA frame; nothing after it can be understood.
				_, _ = c.w.Write(binary.BigEndian.AppendUint32([]byte{0, 0, 100, byte(http2.FrameData), 0}, id))
				_, _ = c.w.Write(make([]byte, 50))
				assert.NoError(t, c.flush())
			}
			sent := time.Since(begin)
			for _, c := range clients {
				c.await("the end of all calls", func() bool { return len(c.ends) == test.calls+1 })
				assert.Equal(t, c.outcomes(), map[string]int{"status 0": 1, "status 4": test.calls})
			}
			took := time.Since(begin)
			t.Logf("sent in %v, all ended after %v", sent, took)
			if took < timeout {
				t.Errorf("calls ended after %v, before the timeout of %v", took, timeout)
			}
			assert.Equal(t, live.total.Load(), int64(0), "handlers reached:")
			waitFor(t, "in-flight 0", func() bool { return len(srv.Running()) == 0 })
			waitFor(t, "the goroutine baseline", func() bool { return runtime.NumGoroutine() <= baseline })
			srv.serves(t)
		})
	}
}

// With the defaults it is 30 seconds, to the tick.
func TestHalfSentCallOnFakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc, live := blocking()
		srv := newTarget(t, inMemory, svc)
		c := srv.attack(t)
		begin := time.Now()
		id := c.open(unaryPath, false)
		c.data(id, false, message(false, 100, make([]byte, 50)))
		assert.NoError(t, c.flush())

		time.Sleep(30*time.Second - 1)
		synctest.Wait()
		assert.Equal(t, srv.Running(), []string{"grpc.testing.TestService/UnaryCall"})
		assert.Equal(t, len(c.outcomes()), 0)
		assert.Equal(t, c.outcome(id), "status 4")
		assert.Equal(t, time.Since(begin), 30*time.Second)
		synctest.Wait()
		assert.Equal(t, len(srv.Running()), 0)
		assert.Equal(t, live.total.Load(), int64(0))
	})
}

// A path that is not exactly that of a registered method reaches no handler.
func TestMalformedPaths(t *testing.T) {
	for _, via := range []network{plaintext, overTLS} {
		t.Run(string(via), func(t *testing.T) {
			svc, live := blocking()
			srv := newTarget(t, via, svc)
			c := srv.attack(t)
			for _, path := range malformedPaths {
				id := c.open(path, false)
				c.data(id, true, empty)
				assert.NoError(t, c.flush())
				if end := c.outcome(id); end != "status 12" && end != "reset PROTOCOL_ERROR" {
					t.Errorf("%q: the call ended with %s, want Unimplemented", path, end)
				}
			}
			id := c.open(emptyPath, false, hpack.HeaderField{Name: "x-other", Value: "1"})
			c.data(id, true, empty)
			assert.NoError(t, c.flush())
			assert.Equal(t, c.outcome(id), "status 0", "the exact path:")
			assert.Equal(t, live.total.Load(), int64(0), "handlers reached:")
		})
	}
}

const (
	testService = "grpc.testing.TestService"
	sneaky      = "/" + testService + "/UnaryCall"
)

var malformedPaths = []string{
	testService + "/UnaryCall", "/" + sneaky, sneaky + "/", "/" + testService + "//UnaryCall",
	"/" + testService + "%2fUnaryCall", "%2f" + testService + "/UnaryCall", "/" + testService + "/UnaryCall%00",
	"/./" + testService + "/UnaryCall", "/" + testService + "/./UnaryCall", "/x/.." + sneaky,
	"/" + testService + "/unarycall", "/" + testService + "/UnaryCall?x=1", "/" + testService + "/UnaryCall#x",
	"http://localhost" + sneaky, "/" + testService, "/" + testService + "/", "/UnaryCall", "UnaryCall", "/", "//", "*", "",
	" " + sneaky, sneaky + " ", "/nobody.Service/Method", "/" + testService + "/Nothing",
}

// Clients can invent names for ever: the access log gets one line a second,
// under a name that they did not choose.
func TestUnknownMethodsLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc, _ := blocking()
		srv := newTarget(t, inMemory, svc)
		c := srv.attack(t)
		flood := func(n int) {
			t.Helper()
			for i := range n {
				id := c.open(fmt.Sprintf("/invented.S%d/M", i), false)
				c.data(id, true, empty)
				assert.NoError(t, c.flush())
				assert.Equal(t, c.outcome(id), "status 12")
			}
		}
		const line = "rpc.method=_OTHER"
		flood(100)
		assert.Equal(t, len(srv.logs.lines(line)), 1)
		time.Sleep(time.Second - 1)
		flood(100)
		assert.Equal(t, len(srv.logs.lines(line)), 1)
		time.Sleep(1 * time.Nanosecond)
		flood(100)
		lines := srv.logs.lines(line)
		assert.Equal(t, len(lines), 2)
		assert.Contains(t, lines[0], "rpc.method_original=invented.S0/M", "rpc.response.status_code=UNIMPLEMENTED")
		assert.NotContains(t, lines[0], "suppressed=")
		assert.Contains(t, lines[1], "suppressed=199")
	})
}
