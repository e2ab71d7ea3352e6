package grpcx

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// books is a bare grpc.Server whose connections are in a connTable.
type books struct {
	*connTable
	*grpc.Server
	dial func() (net.Conn, error)
}

func newBooks(t *testing.T, overTLS bool, wrap func(net.Listener) net.Listener, opts ...grpc.ServerOption) *books {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	addr := lis.Addr().String()
	b := &books{
		connTable: newConnTable(-1, 10*time.Second, overTLS, slog.Default),
		dial:      func() (net.Conn, error) { return net.Dial("tcp", addr) },
	}
	if overTLS {
		certs, err := devcert.New()
		assert.NoError(t, err)
		config := tlsx.ClientConfig(certs.ClientSource(), tlsx.ServerName("localhost"))
		config.NextProtos = []string{"h2"}
		b.dial = func() (net.Conn, error) { return tls.Dial("tcp", addr, config) }
		opts = append(opts, grpc.Creds(&serverCreds{source: certs.ServerSource(), table: b.connTable}))
	}
	b.Server = grpc.NewServer(opts...)
	var served sync.WaitGroup
	var accepting net.Listener = &listener{lis, b.connTable}
	if wrap != nil {
		accepting = wrap(accepting)
	}
	served.Go(func() { _ = b.Serve(accepting) })
	t.Cleanup(func() {
		b.Stop()
		served.Wait()
	})
	return b
}

// peer connects and returns when grpc-go serves the connection.
func (b *books) peer(t *testing.T) net.Conn {
	t.Helper()
	conn, err := b.dial()
	assert.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, http2.ClientPreface)
	assert.NoError(t, err)
	fr := http2.NewFramer(conn, conn)
	assert.NoError(t, fr.WriteSettings())
	assert.NoError(t, fr.WritePing(false, [8]byte{})) // only answered after the handshake
	for {
		f, err := fr.ReadFrame()
		assert.NoError(t, err)
		if p, ok := f.(*http2.PingFrame); ok && p.IsAck() {
			return conn
		}
	}
}

func (b *books) only(t *testing.T) *conn {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.byAddr) != 1 {
		t.Fatalf("%d connections in the books, want 1", len(b.byAddr))
	}
	for _, c := range b.byAddr {
		return c
	}
	return nil
}

func (b *books) isGoneAway(c *conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return c.goneAway
}

func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !cond(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

const scanBroken = "no GOAWAY was found in what grpc-go wrote within 20s; re-read frames.go, conn.go (Write) and credentials.go (tlsConn) against grpc-go's internal/transport/http2_server.go"

// The frame scanner sees the GOAWAY of a drain and that of a connection's age.
func TestGRPCGoAwayIsScanned(t *testing.T) {
	for _, overTLS := range []bool{false, true} {
		t.Run(fmt.Sprintf("drain, TLS %v", overTLS), func(t *testing.T) {
			b := newBooks(t, overTLS, nil)
			b.peer(t)
			c := b.only(t)
			assert.Equal(t, b.isGoneAway(c), false, "before the drain:")
			allAway := b.refuse()
			select {
			case <-allAway:
				t.Error("the connection counts as told before the drain")
			default:
			}
			var drained sync.WaitGroup
			drained.Go(b.GracefulStop)
			await(t, scanBroken, func() bool { return b.isGoneAway(c) })
			<-allAway
			b.Stop()
			drained.Wait()
		})
		t.Run(fmt.Sprintf("age, TLS %v", overTLS), func(t *testing.T) {
			b := newBooks(t, overTLS, nil, grpc.KeepaliveParams(keepalive.ServerParameters{
				MaxConnectionAge: 200 * time.Millisecond, MaxConnectionAgeGrace: time.Minute}))
			b.peer(t)
			c := b.only(t)
			assert.Equal(t, b.isGoneAway(c), false, "before its age:")
			await(t, scanBroken, func() bool { return b.isGoneAway(c) })
		})
	}
}

// grpc-go clears the deadline when the handshake is over, also over TLS, and
// not before: conn.SetDeadline lives on it.
func TestGRPCHandshakeIsSeen(t *testing.T) {
	for _, overTLS := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", overTLS), func(t *testing.T) {
			b := newBooks(t, overTLS, nil)
			silent, err := b.dial() // over TLS this waits for the TLS handshake; HTTP/2's is still to come
			assert.NoError(t, err)
			defer silent.Close()
			await(t, "the silent connection is not in the books", func() bool { return b.open() == 1 })
			c := b.only(t)
			b.mu.Lock()
			assert.Equal(t, c.established, false, "without a preface, established is")
			b.mu.Unlock()
			b.peer(t)
			await(t, "the deadline of an established connection is not cleared; re-read conn.go (SetDeadline) against handleRawConn in grpc-go's server.go",
				func() bool {
					b.mu.Lock()
					defer b.mu.Unlock()
					n := 0
					for _, c := range b.byAddr {
						if c.established {
							n++
						}
					}
					return n == 1
				})
			b.refuse()
			_ = silent.SetReadDeadline(time.Now().Add(20 * time.Second))
			_, err = io.Copy(io.Discard, silent) // SETTINGS may come first
			if nerr, ok := err.(net.Error); ok && nerr.Timeout() {
				t.Error("refuse did not close the connection that was silent")
			}
			await(t, "refuse closed an established connection, or left the silent one", func() bool { return b.open() == 1 })
		})
	}
}
