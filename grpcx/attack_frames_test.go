package grpcx_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // so that the server decompresses
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"

	"github.com/grpcx-go/sdk/internal/assert"
)

// allocated runs f and returns the bytes that the process allocated meanwhile,
// freed or not: an upper bound for the memory that f could make anyone use.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// 100 KiB of headers are three times the default limit.
func TestHugeHeaders(t *testing.T) {
	oneValue := []hpack.HeaderField{{Name: "x-big", Value: strings.Repeat("v", 100<<10)}}
	var many []hpack.HeaderField
	for i := range 100 {
		many = append(many, hpack.HeaderField{Name: fmt.Sprintf("x-%d", i), Value: strings.Repeat("v", 1<<10), Sensitive: true})
	}
	small := make([]hpack.HeaderField, 1500) // as RFC 9113 counts them, 32 bytes and more each
	for i := range small {
		small[i] = hpack.HeaderField{Name: "a", Value: strings.Repeat("b", 32)} // one byte each on the wire
	}
	for _, via := range []network{plaintext, overTLS} {
		for name, headers := range map[string][]hpack.HeaderField{"one value": oneValue, "many": many, "references": small} {
			t.Run(fmt.Sprintf("%s, %s", via, name), func(t *testing.T) {
				svc, live := blocking()
				srv := newTarget(t, via, svc)
				c := srv.attack(t)
				assert.Equal(t, c.settings[http2.SettingMaxHeaderListSize], uint32(32<<10), "SETTINGS_MAX_HEADER_LIST_SIZE:")
				id := c.open(duplexPath, false, headers...)
				_ = c.flush() // fails where the server was faster
				c.await("the refusal", func() bool { return c.ends[id] != "" || c.gone != nil })
				end := c.outcomes()
				t.Logf("ended with %v, GOAWAY %q", end, c.farewell())
				if name == "references" || len(end) > 0 {
					assert.Equal(t, end, map[string]int{"reset FRAME_SIZE_ERROR": 1})
					assert.Equal(t, c.finalCall(), "status 0", "another call on the connection:")
				}
				srv.serves(t)
				assert.Equal(t, live.total.Load(), int64(0), "handlers reached:")
			})
		}
	}
	t.Run("honest client", func(t *testing.T) {
		svc, live := blocking()
		srv := newTarget(t, plaintext, svc)
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-big", strings.Repeat("v", 100<<10))
		_, err := srv.honest.UnaryCall(ctx, &testgrpc.SimpleRequest{})
		wantCode(t, err, codes.Internal)
		assert.ErrorContains(t, err, "header list size to send violates the maximum size (32768 bytes)")
		ctx = metadata.AppendToOutgoingContext(t.Context(), "x-token", strings.Repeat("v", 24<<10))
		_, err = srv.honest.EmptyCall(ctx, &testgrpc.Empty{})
		assert.NoError(t, err, "24 KiB of token:")
		assert.Equal(t, live.total.Load(), int64(0), "handlers reached:")
	})
}

// Headers that never end close the connection early, whether they are kept,
// as literals, or come to nothing.
func TestContinuationFlood(t *testing.T) {
	for _, via := range []network{plaintext, overTLS} {
		t.Run(string(via), func(t *testing.T) {
			svc, live := blocking()
			srv := newTarget(t, via, svc)
			c := srv.attack(t)
			block := bytes.Clone(c.encode(duplexPath, nil))
			c.hdr.Reset()
			assert.NoError(t, c.enc.WriteField(hpack.HeaderField{Name: "x-flood", Value: strings.Repeat("\x00", 8000), Sensitive: true}))
			sent := 0
			bytes := allocated(func() {
				_ = c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: c.next, BlockFragment: block})
				for sent < 64<<20 && c.flush() == nil {
					_ = c.fr.WriteContinuation(c.next, false, c.hdr.Bytes())
					sent += c.hdr.Len()
				}
				c.awaitGone()
			})
			t.Logf("closed after %d KiB at most; %d KiB allocated; GOAWAY %q", sent>>10, bytes>>10, c.farewell())
			if sent >= 64<<20 {
				t.Error("64 MiB of headers were taken")
			}
			if bytes > 8<<20 {
				t.Errorf("%d bytes were allocated, want at most 8 MiB", bytes)
			}
			srv.serves(t)
			assert.Equal(t, live.total.Load(), int64(0), "handlers reached:")
		})
	}
}

func TestPingFlood(t *testing.T) {
	for _, via := range []network{plaintext, overTLS} {
		t.Run(string(via), func(t *testing.T) {
			t.Parallel() // grpc-go waits a second before it closes
			svc, _ := blocking()
			srv := newTarget(t, via, svc)
			c := srv.attack(t)
			for range 100 {
				_ = c.fr.WritePing(false, [8]byte{1})
			}
			_ = c.flush() // fails where the server was faster
			c.awaitGone()
			assert.Equal(t, c.farewell(), "ENHANCE_YOUR_CALM too_many_pings")
			srv.serves(t)
		})
	}
}

// An honest client that keeps its connection alive every 20 seconds, with and
// without calls, keeps it.
func TestHonestKeepaliveSurvives(t *testing.T) {
	for _, busy := range []bool{false, true} {
		t.Run(fmt.Sprintf("open call %v", busy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc, live := blocking()
				srv := newTarget(t, inMemory, svc)
				dials := 0
				lis := srv.dial
				cc, err := grpc.NewClient("passthrough:///memory",
					grpc.WithTransportCredentials(insecure.NewCredentials()),
					grpc.WithIdleTimeout(0),
					grpc.WithKeepaliveParams(keepalive.ClientParameters{
						Time: 20 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}),
					grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
						dials++
						return lis()
					}))
				assert.NoError(t, err)
				defer cc.Close()
				client := testgrpc.NewTestServiceClient(cc)
				_, err = client.EmptyCall(t.Context(), &testgrpc.Empty{})
				assert.NoError(t, err)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if busy {
					_, err := client.FullDuplexCall(ctx)
					assert.NoError(t, err)
				}

				time.Sleep(10 * time.Minute)
				synctest.Wait()
				assert.Equal(t, cc.GetState(), connectivity.Ready)
				if busy {
					assert.Equal(t, live.now.Load(), int64(1), "calls that go on:")
				}
				_, err = client.EmptyCall(t.Context(), &testgrpc.Empty{})
				assert.NoError(t, err)
				assert.Equal(t, dials, 1, "connections made:")
			})
		})
	}
}

// The control of the test above: every 9 seconds is too often.
func TestRudeKeepaliveIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc, _ := blocking()
		srv := newTarget(t, inMemory, svc)
		c := srv.attack(t)
		for range 4 {
			_ = c.fr.WritePing(false, [8]byte{})
			assert.NoError(t, c.flush())
			time.Sleep(9 * time.Second)
		}
		c.awaitGone()
		assert.Equal(t, c.farewell(), "ENHANCE_YOUR_CALM too_many_pings")
	})
}

func TestMessageTooLarge(t *testing.T) {
	for _, via := range []network{plaintext, overTLS} {
		t.Run(string(via), func(t *testing.T) {
			svc, live := blocking()
			srv := newTarget(t, via, svc)
			big := &testgrpc.SimpleRequest{Payload: &testgrpc.Payload{Body: make([]byte, 4<<20)}}
			_, err := srv.honest.UnaryCall(t.Context(), big)
			wantCode(t, err, codes.ResourceExhausted)

			// The length alone is enough, and nothing is allocated for it.
			c := srv.attack(t)
			bytes := allocated(func() {
				for range 100 {
					id := c.open(unaryPath, false)
					c.data(id, false, message(false, 1<<32-1, nil))
					assert.NoError(t, c.flush())
					assert.Equal(t, c.outcome(id), "status 8")
				}
			})
			if bytes > 8<<20 {
				t.Errorf("100 messages of which only the length came: %d bytes were allocated, want at most 8 MiB", bytes)
			}
			srv.serves(t)
			assert.Equal(t, live.total.Load(), int64(0), "handlers reached:")
		})
	}
}

// Zeros shrink a thousandfold. The server unpacks no more than the limit of a
// message, however many zeros there are.
func TestGzipBomb(t *testing.T) {
	var member bytes.Buffer // 1 MiB of zeros; gzip files may be concatenated
	w, err := gzip.NewWriterLevel(&member, gzip.BestCompression)
	assert.NoError(t, err)
	_, _ = w.Write(make([]byte, 1<<20))
	assert.NoError(t, w.Close())
	const unpacked, bombs, limit = 60 << 20, 30 / slowdown, 4 << 20
	bomb := bytes.Repeat(member.Bytes(), unpacked>>20)
	if len(bomb) > 1<<16-100 {
		t.Fatalf("the bomb of %d bytes does not fit into a stream's first window", len(bomb))
	}

	svc, live := blocking()
	srv := newTarget(t, plaintext, svc)
	c := srv.attack(t)
	begin := time.Now()
	bytes := allocated(func() {
		var ids []uint32
		for range bombs {
			id := c.open(unaryPath, false, hpack.HeaderField{Name: "grpc-encoding", Value: "gzip"})
			c.data(id, true, message(true, uint32(len(bomb)), bomb))
			ids = append(ids, id)
		}
		assert.NoError(t, c.flush())
		for _, id := range ids {
			assert.Equal(t, c.outcome(id), "status 8")
		}
	})
	t.Logf("%d bombs at once, of %d KiB that unpack to %d MiB: %d MiB allocated in all, %v",
		bombs, len(bomb)>>10, unpacked>>20, bytes>>20, time.Since(begin).Round(time.Millisecond))
	if most := uint64(bombs * 3 * limit); bytes > most {
		t.Errorf("%d MiB were allocated, want at most %d", bytes>>20, most>>20)
	}
	srv.serves(t)
	assert.Equal(t, live.total.Load(), int64(0), "handlers reached:")

	// The limit is on what is unpacked: just below it, a message arrives.
	var fits testgrpc.SimpleRequest
	fits.Payload = &testgrpc.Payload{Body: make([]byte, limit-100)}
	ctx, cancel := context.WithCancel(t.Context())
	done := background(func() { _, _ = srv.honest.UnaryCall(ctx, &fits, grpc.UseCompressor("gzip")) })
	waitFor(t, "the handler of a message within the limit", func() bool { return live.now.Load() == 1 })
	cancel()
	<-done
}
