package grpcx_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/proto"

	"github.com/grpcx-go/sdk/internal/assert"
)

// hostilePeer does to a server what its name says, and keeps doing it until
// the test ends.
type hostilePeer func(t *testing.T, c *drainChild)

// silentPeer connects and says nothing.
func silentPeer(t *testing.T, c *drainChild) { c.socket(t, c.addr) }

// silentProbePeer connects to the probe port and says nothing.
func silentProbePeer(t *testing.T, c *drainChild) { c.socket(t, c.probe) }

// halfRequestPeer sends the admin port half a request.
func halfRequestPeer(t *testing.T, c *drainChild) {
	_, err := io.WriteString(c.socket(t, c.admin), "GET /livez HTTP/1.1\r\nHost: local")
	assert.NoError(t, err)
}

// profilePeer has the admin port record a profile of the CPU.
func profilePeer(t *testing.T, c *drainChild) {
	_, err := io.WriteString(c.socket(t, c.admin), "GET /debug/pprof/profile?seconds=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	assert.NoError(t, err)
}

// halfHelloPeer sends half a TLS ClientHello.
func halfHelloPeer(t *testing.T, c *drainChild) {
	hello := new(helloRecorder)
	_ = tls.Client(hello, c.client).HandshakeContext(t.Context())
	assert.True(t, hello.Len() > 100, "ClientHello recorded")
	_, err := c.socket(t, c.addr).Write(hello.Bytes()[:hello.Len()/2])
	assert.NoError(t, err)
}

// helloRecorder keeps what a TLS client says first.
type helloRecorder struct {
	net.Conn
	bytes.Buffer
}

func (r *helloRecorder) Write(p []byte) (int, error) { return r.Buffer.Write(p) }
func (r *helloRecorder) Read([]byte) (int, error)    { return 0, io.EOF }
func (r *helloRecorder) Close() error                { return nil }

// quietTLSPeer completes the TLS handshake and says nothing.
func quietTLSPeer(t *testing.T, c *drainChild) { c.secured(t) }

// halfPrefacePeer sends half of what an HTTP/2 client says first.
func halfPrefacePeer(t *testing.T, c *drainChild) {
	_, err := io.WriteString(c.secured(t), http2.ClientPreface[:len(http2.ClientPreface)/2])
	assert.NoError(t, err)
}

// watchPeer keeps a health stream open.
func watchPeer(service string, first healthpb.HealthCheckResponse_ServingStatus) hostilePeer {
	return func(t *testing.T, c *drainChild) {
		stream, err := healthpb.NewHealthClient(c.dial(t)).Watch(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		assert.NoError(t, err)
		got, err := stream.Recv()
		assert.NoError(t, err)
		assert.Equal(t, got.GetStatus(), first)
		c.after = append(c.after, func() {
			for err == nil {
				_, err = stream.Recv()
			}
			wantCode(t, err, codes.Unavailable)
		})
	}
}

// streamPeer keeps a stream open whose handler honours its context.
func streamPeer(t *testing.T, c *drainChild) {
	stream, err := testgrpc.NewTestServiceClient(c.dial(t)).FullDuplexCall(t.Context())
	assert.NoError(t, err)
	_, err = stream.Header()
	assert.NoError(t, err)
	c.after = append(c.after, func() {
		_, err := stream.Recv()
		wantCode(t, err, codes.Unavailable)
	})
}

// ignoredPeer calls a handler that ignores its context.
func ignoredPeer(t *testing.T, c *drainChild) {
	stream, err := testgrpc.NewTestServiceClient(c.dial(t)).StreamingInputCall(t.Context())
	assert.NoError(t, err)
	_, err = stream.Header()
	assert.NoError(t, err)
	c.after = append(c.after, func() { wantCode(t, stream.RecvMsg(new(testgrpc.StreamingInputCallResponse)), codes.Unavailable) })
}

// goexitPeer makes calls whose handlers end their goroutine.
func goexitPeer(t *testing.T, c *drainChild) {
	client := testgrpc.NewTestServiceClient(c.dial(t))
	_, err := client.CacheableUnaryCall(t.Context(), &testgrpc.SimpleRequest{})
	wantCode(t, err, codes.Internal)
	stream, err := client.HalfDuplexCall(t.Context())
	assert.NoError(t, err)
	_, err = stream.Recv()
	wantCode(t, err, codes.Internal)
}

// zeroWindowPeer asks for large replies and never lets them be sent.
func zeroWindowPeer(t *testing.T, c *drainChild) {
	p := newFramePeer(t, c.secured(t), 0)
	for range 4 {
		p.call(testgrpc.TestService_UnaryCall_FullMethodName, &testgrpc.SimpleRequest{ResponseSize: 256 << 10})
	}
	p.awaitHeaders(4)
}

// deafPeer lets everything be sent and stops reading the socket.
func deafPeer(t *testing.T, c *drainChild) {
	p := newFramePeer(t, c.secured(t), 1<<31-1)
	assert.NoError(t, p.framer.WriteWindowUpdate(0, 1<<30))
	p.call(testgrpc.TestService_StreamingOutputCall_FullMethodName, &testgrpc.StreamingOutputCallRequest{})
	p.awaitHeaders(1)
}

// rudePeer is idle and answers neither PING nor GOAWAY.
func rudePeer(t *testing.T, c *drainChild) {
	p := newFramePeer(t, c.secured(t), 1<<16)
	p.call(testgrpc.TestService_EmptyCall_FullMethodName, &testgrpc.Empty{})
	p.awaitHeaders(2) // headers and trailers
}

// framePeer is an HTTP/2 client that writes its own frames.
type framePeer struct {
	t      *testing.T
	framer *http2.Framer
	stream uint32
}

func newFramePeer(t *testing.T, conn net.Conn, window uint32) *framePeer {
	t.Helper()
	_, err := io.WriteString(conn, http2.ClientPreface)
	assert.NoError(t, err)
	p := &framePeer{t: t, framer: http2.NewFramer(conn, conn), stream: 1}
	assert.NoError(t, p.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}))
	return p
}

// call sends a whole request.
func (p *framePeer) call(method string, msg proto.Message) {
	p.t.Helper()
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", method}, {":authority", "localhost"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		assert.NoError(p.t, enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}))
	}
	assert.NoError(p.t, p.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: p.stream, BlockFragment: block.Bytes(), EndHeaders: true}))
	body, err := proto.Marshal(msg)
	assert.NoError(p.t, err)
	data := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body)))
	assert.NoError(p.t, p.framer.WriteData(p.stream, true, append(data, body...)))
	p.stream += 2
}

// awaitHeaders reads until n header blocks have come.
func (p *framePeer) awaitHeaders(n int) {
	p.t.Helper()
	for n > 0 {
		frame, err := p.framer.ReadFrame()
		assert.NoError(p.t, err)
		switch f := frame.(type) {
		case *http2.HeadersFrame:
			n--
		case *http2.SettingsFrame:
			if !f.IsAck() {
				assert.NoError(p.t, p.framer.WriteSettingsAck())
			}
		case *http2.GoAwayFrame, *http2.RSTStreamFrame:
			p.t.Fatalf("the server sent %v", f)
		}
	}
}
