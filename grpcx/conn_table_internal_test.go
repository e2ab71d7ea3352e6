package grpcx

import (
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/grpcx-go/sdk/internal/assert"
)

// noConn is a connection that does nothing, with an address of its own.
type noConn struct {
	net.Conn
	addr   net.TCPAddr
	closed atomic.Bool
}

func (c *noConn) RemoteAddr() net.Addr        { return &c.addr }
func (c *noConn) Write(p []byte) (int, error) { return len(p), nil }
func (c *noConn) SetDeadline(time.Time) error { return nil }
func (c *noConn) Close() error                { c.closed.Store(true); return nil }

// Connections come, shake hands, are told to go and end while the server
// drains: the books balance, the limit holds, and everybody is told.
func TestConnTableUnderStress(t *testing.T) {
	const limit, workers, rounds = 20, 30, 300
	goAway := framesOf(t, func(fr *http2.Framer) { _ = fr.WriteGoAway(0, http2.ErrCodeNo, nil) })
	log := slog.New(slog.DiscardHandler)
	table := newConnTable(limit, time.Second, false, func() *slog.Logger { return log })
	var open, refused, tried atomic.Int64
	var workersDone, first sync.WaitGroup
	first.Add(workers)
	for range workers {
		workersDone.Go(func() {
			for round := range rounds {
				raw := new(noConn)
				c, ok := table.admit(raw)
				tried.Add(1)
				if round == 0 { // all at once
					first.Done()
					first.Wait()
				}
				if !ok {
					refused.Add(1)
					continue
				}
				if open.Add(1) > limit {
					t.Errorf("more than %d connections are open", limit)
				}
				if rand.IntN(4) > 0 {
					_ = c.SetDeadline(time.Now())
					_ = c.SetDeadline(time.Time{})
				}
				draining, ok := table.drainingOf(c.RemoteAddr())
				if rand.IntN(2) > 0 {
					_, _ = c.Write(goAway[:5])
					_, _ = c.Write(goAway[5:])
					if ok { // refuse may have closed it already
						<-draining
					}
				}
				open.Add(-1) // before the books, so that it never exceeds them
				_ = c.Close()
				if ok {
					<-draining // the end of a connection ends the wait too
				}
				if _, found := table.drainingOf(c.RemoteAddr()); found {
					t.Error("a closed connection is in the books")
				}
				_ = c.Close() // twice is harmless
				assert.True(t, raw.closed.Load())
			}
		})
	}
	var allAway <-chan struct{}
	workersDone.Go(func() {
		for tried.Load() < workers*rounds/2 {
			_ = table.open()
			runtime.Gosched()
		}
		table.drainAll()
		allAway = table.refuse()
	})
	workersDone.Wait()
	<-allAway
	assert.Equal(t, table.open(), 0)
	assert.Equal(t, table.awaiting, 0)
	if n := refused.Load(); n < workers-limit {
		t.Errorf("%d connections were refused, want at least the %d above the limit", n, workers-limit)
	}
}
