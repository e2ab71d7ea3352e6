package grpcx_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// network is how the clients of a target reach it.
type network string

const (
	plaintext network = "plaintext"
	overTLS   network = "TLS"
	inMemory  network = "memory" // usable in a synctest bubble
)

// patience bounds every wait on real time; nothing measures it.
const patience = 30 * time.Second

// target is a server to attack, with an honest client beside the attacker.
type target struct {
	*grpcx.Server
	logs   logBuffer
	honest testgrpc.TestServiceClient
	dial   func() (net.Conn, error) // speaks no HTTP/2 yet
	dialTo func(addr string) (net.Conn, error)
	grpc   func(testing.TB, ...grpc.DialOption) *grpc.ClientConn
}

// newTarget serves the test service until the test ends. What Serve returns
// then must be nil: nothing that an attacker did may be left.
func newTarget(t testing.TB, via network, svc *service, opts ...grpcx.Option) *target {
	t.Helper()
	s := &target{}
	var lis net.Listener
	security, creds := grpcx.WithInsecure(), insecure.NewCredentials()
	dial := func(ctx context.Context, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", lis.Addr().String())
	}
	s.dialTo = func(addr string) (net.Conn, error) { return net.Dial("tcp", addr) }
	s.dial = func() (net.Conn, error) { return s.dialTo(lis.Addr().String()) }
	switch via {
	case inMemory:
		mem := bufconn.Listen(1 << 20)
		lis = mem
		dial = func(ctx context.Context, _ string) (net.Conn, error) { return mem.DialContext(ctx) }
		s.dial = mem.Dial
	case overTLS:
		certs, err := devcert.New()
		assert.NoError(t, err)
		security = grpcx.WithTLS(certs.ServerSource())
		config := tlsx.ClientConfig(certs.ClientSource(), tlsx.ServerName("localhost"))
		creds = credentials.NewTLS(config)
		raw := config.Clone()
		raw.NextProtos = []string{"h2"}
		s.dialTo = func(addr string) (net.Conn, error) { return tls.Dial("tcp", addr, raw) }
	}
	if lis == nil {
		var err error
		lis, err = net.Listen("tcp", "127.0.0.1:0")
		assert.NoError(t, err)
	}
	var err error
	s.Server, err = grpcx.New(append([]grpcx.Option{
		security, s.logs.option(), withService(svc), grpcx.WithListener(lis),
		grpcx.WithDrain(grpcx.Drain{Delay: -1, Timeout: 5 * time.Second, Stop: time.Second}),
	}, opts...)...)
	assert.NoError(t, err)
	var served error
	done := background(func() { served = s.Serve(context.Background()) })
	t.Cleanup(func() {
		assert.NoError(t, s.Shutdown(context.Background()))
		<-done
		if served != nil {
			t.Errorf("Serve returned %v, want nil", served)
		}
	})
	<-s.Ready()
	s.grpc = func(t testing.TB, opts ...grpc.DialOption) *grpc.ClientConn {
		t.Helper()
		cc, err := grpc.NewClient("passthrough:///localhost", append([]grpc.DialOption{
			grpc.WithTransportCredentials(creds), grpc.WithContextDialer(dial)}, opts...)...)
		assert.NoError(t, err)
		t.Cleanup(func() { cc.Close() })
		return cc
	}
	s.honest = testgrpc.NewTestServiceClient(s.grpc(t))
	s.serves(t)
	return s
}

// serves fails the test when the honest client cannot call.
func (s *target) serves(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := s.honest.EmptyCall(ctx, &testgrpc.Empty{}); err != nil {
		t.Errorf("the honest client's call failed: %v", err)
	}
}

// attack connects a raw client that has exchanged SETTINGS.
func (s *target) attack(t testing.TB, settings ...http2.Setting) *rawClient {
	t.Helper()
	conn, err := s.dial()
	assert.NoError(t, err)
	c := newRawClient(t, conn, settings...)
	c.await("the server's SETTINGS", func() bool { return c.settings != nil })
	return c
}

// gauge counts the handlers that run.
type gauge struct{ now, peak, total atomic.Int64 }

func (g *gauge) enter() (leave func()) {
	g.total.Add(1)
	now := g.now.Add(1)
	for {
		peak := g.peak.Load()
		if now <= peak || g.peak.CompareAndSwap(peak, now) {
			return func() { g.now.Add(-1) }
		}
	}
}

// rawClient speaks HTTP/2 frame by frame, as no honest client does. Writes are
// buffered until flush and for one goroutine at a time. A goroutine reads and
// keeps what came; it acknowledges nothing.
type rawClient struct {
	t    testing.TB
	conn net.Conn
	w    *bufio.Writer
	fr   *http2.Framer
	hdr  bytes.Buffer
	enc  *hpack.Encoder
	next uint32
	done chan struct{} // closed when the reader has ended

	mu       sync.Mutex
	changed  chan struct{} // closed, and replaced, with each change below
	settings map[http2.SettingID]uint32
	acked    bool              // our SETTINGS were acknowledged
	ends     map[uint32]string // how a stream ended: "status 4", "reset CANCEL"
	goAway   string            // code and debug data of the last GOAWAY
	gone     error             // why nothing more can be read
}

func newRawClient(t testing.TB, conn net.Conn, settings ...http2.Setting) *rawClient {
	t.Helper()
	c := &rawClient{
		t: t, conn: conn, w: bufio.NewWriterSize(conn, 1<<16), next: 1,
		done: make(chan struct{}), changed: make(chan struct{}), ends: map[uint32]string{},
	}
	c.enc = hpack.NewEncoder(&c.hdr)
	c.fr = http2.NewFramer(c.w, conn)
	c.fr.AllowIllegalWrites = true
	c.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	t.Cleanup(c.close)
	go c.read()
	_, _ = c.w.WriteString(http2.ClientPreface)
	_ = c.fr.WriteSettings(settings...)
	_ = c.fr.WriteSettingsAck()
	assert.NoError(t, c.flush())
	return c
}

func (c *rawClient) close() {
	_ = c.conn.Close()
	<-c.done
}

func (c *rawClient) read() {
	defer close(c.done)
	for {
		f, err := c.fr.ReadFrame()
		c.mu.Lock()
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if f.IsAck() {
				c.acked = true
				break
			}
			c.settings = map[http2.SettingID]uint32{}
			_ = f.ForeachSetting(func(s http2.Setting) error { c.settings[s.ID] = s.Val; return nil })
		case *http2.MetaHeadersFrame:
			if f.StreamEnded() {
				end := "no status"
				for _, h := range f.Fields {
					if h.Name == "grpc-status" {
						end = "status " + h.Value
					}
				}
				c.endedLocked(f.StreamID, end)
			}
		case *http2.RSTStreamFrame:
			c.endedLocked(f.StreamID, "reset "+f.ErrCode.String())
		case *http2.GoAwayFrame:
			c.goAway = fmt.Sprintf("%v %s", f.ErrCode, f.DebugData())
		}
		if err != nil {
			c.gone = err
		}
		close(c.changed)
		c.changed = make(chan struct{})
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (c *rawClient) endedLocked(id uint32, how string) {
	if _, ended := c.ends[id]; !ended {
		c.ends[id] = how
	}
}

// await waits until cond, which may read what the reader keeps, is true.
func (c *rawClient) await(what string, cond func() bool) {
	c.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		c.mu.Lock()
		ok, changed, gone := cond(), c.changed, c.gone
		c.mu.Unlock()
		switch {
		case ok:
			return
		case gone != nil:
			c.t.Fatalf("%s did not happen before the connection ended: %v", what, gone)
		}
		select {
		case <-changed:
		case <-timer.C:
			c.t.Fatalf("%s did not happen within %v", what, patience)
		}
	}
}

// awaitGone waits until the server has closed the connection.
func (c *rawClient) awaitGone() {
	c.t.Helper()
	c.await("the end of the connection", func() bool { return c.gone != nil })
}

// outcome waits for the end of a stream and says how it was.
func (c *rawClient) outcome(id uint32) (end string) {
	c.t.Helper()
	c.await(fmt.Sprintf("the end of stream %d", id), func() bool {
		end = c.ends[id]
		return end != ""
	})
	return end
}

// outcomes counts how streams ended so far.
func (c *rawClient) outcomes() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	ends := map[string]int{}
	for _, end := range c.ends {
		ends[end]++
	}
	return ends
}

// farewell is the last GOAWAY so far.
func (c *rawClient) farewell() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.goAway
}

const (
	unaryPath  = "/grpc.testing.TestService/UnaryCall"
	emptyPath  = "/grpc.testing.TestService/EmptyCall"
	duplexPath = "/grpc.testing.TestService/FullDuplexCall"
	outputPath = "/grpc.testing.TestService/StreamingOutputCall"
)

func (c *rawClient) encode(path string, extra []hpack.HeaderField) []byte {
	c.hdr.Reset()
	for _, f := range append([]hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"},
		{Name: ":path", Value: path}, {Name: ":authority", Value: "localhost"},
		{Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
	}, extra...) {
		_ = c.enc.WriteField(f)
	}
	return c.hdr.Bytes()
}

// open starts a call and returns its stream. Long headers go on in
// CONTINUATION frames.
func (c *rawClient) open(path string, end bool, extra ...hpack.HeaderField) (id uint32) {
	id = c.next
	c.next += 2
	block := c.encode(path, extra)
	first := min(len(block), 16<<10)
	_ = c.fr.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: block[:first], EndStream: end, EndHeaders: first == len(block)})
	for block = block[first:]; len(block) > 0; {
		n := min(len(block), 16<<10)
		_ = c.fr.WriteContinuation(id, n == len(block), block[:n])
		block = block[n:]
	}
	return id
}

// data sends bytes on a stream, in frames of the largest size.
func (c *rawClient) data(id uint32, end bool, p []byte) {
	for {
		n := min(len(p), 16<<10)
		_ = c.fr.WriteData(id, end && n == len(p), p[:n])
		if p = p[n:]; len(p) == 0 {
			return
		}
	}
}

func (c *rawClient) reset(id uint32) { _ = c.fr.WriteRSTStream(id, http2.ErrCodeCancel) }

// flush sends what is buffered; the error is that of any write since.
func (c *rawClient) flush() error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	return c.w.Flush()
}

// message frames a gRPC message whose length may be a lie.
func message(compressed bool, length uint32, payload []byte) []byte {
	p := make([]byte, 5, 5+len(payload))
	if compressed {
		p[0] = 1
	}
	binary.BigEndian.PutUint32(p[1:], length)
	return append(p, payload...)
}

// empty is a whole, empty message.
var empty = message(false, 0, nil)

// closedAtOnce reports whether the server closed a connection that it had read
// nothing from.
func closedAtOnce(t testing.TB, conn net.Conn) bool {
	t.Helper()
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	var one [1]byte
	_, err := io.ReadFull(conn, one[:])
	nerr, timeout := err.(net.Error)
	return err != nil && !(timeout && nerr.Timeout())
}
