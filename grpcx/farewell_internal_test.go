package grpcx

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// A frame of ours may stand after whole frames only: not before SETTINGS, not
// inside a frame, not inside a header block.
func TestFrameScannerBetween(t *testing.T) {
	var places []int // where a frame may stand, as the list of frames tells
	var b bytes.Buffer
	fr := http2.NewFramer(&b, nil)
	may := func(err error) { assert.NoError(t, err); places = append(places, b.Len()) }
	mayNot := func(err error) { assert.NoError(t, err) }
	may(fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 16}))
	may(fr.WriteSettingsAck()) // no payload
	mayNot(fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: make([]byte, 30)}))
	mayNot(fr.WriteContinuation(1, false, nil))
	mayNot(fr.WriteContinuation(1, false, make([]byte, 9)))
	may(fr.WriteContinuation(1, true, make([]byte, 3)))
	may(fr.WriteData(1, false, nil))
	may(fr.WriteData(1, false, make([]byte, 20)))
	mayNot(fr.WritePushPromise(http2.PushPromiseParam{StreamID: 1, PromiseID: 2, BlockFragment: make([]byte, 4)}))
	may(fr.WriteContinuation(1, true, nil))
	may(fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: make([]byte, 5), EndHeaders: true, EndStream: true}))
	may(fr.WriteGoAway(1, http2.ErrCodeNo, []byte("bye")))

	for size := 1; size <= 20; size++ {
		var f frameScanner
		assert.Equal(t, f.between(), false, "before SETTINGS:")
		for at := 0; at < b.Len(); {
			step := min(size, b.Len()-at)
			f.scan(b.Bytes()[at : at+step])
			at += step
			if got := f.between(); got != slices.Contains(places, at) {
				t.Fatalf("after %d bytes, in pieces of %d: between is %v; the places are %v", at, size, got, places)
			}
		}
		assert.Equal(t, f.goneAway, true)
	}
}

// tlsPipe is a tlsConn and what its client receives, once the test closed it.
func tlsPipe(t testing.TB, certs *devcert.Authority) (server *tlsConn, received func() []byte) {
	t.Helper()
	near, far := net.Pipe()
	client := tls.Client(far, tlsx.ClientConfig(certs.ClientSource(), tlsx.ServerName("localhost")))
	server = &tlsConn{Conn: tls.Server(near, certs.ServerSource().Current().ServerConfig())}
	var got bytes.Buffer
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(&got, client) })
	assert.NoError(t, server.Handshake())
	return server, func() []byte {
		_ = server.Close()
		reading.Wait()
		_ = client.Close()
		return got.Bytes()
	}
}

// randomFrames writes what a server might: SETTINGS first, whole header blocks,
// and, if so wanted, a GOAWAY somewhere.
func randomFrames(t testing.TB, rnd *rand.Rand, goAway bool) []byte {
	t.Helper()
	return framesOf(t, func(fr *http2.Framer) {
		_ = fr.WriteSettings()
		count := 1 + rnd.IntN(12)
		last := -1
		if goAway {
			last = rnd.IntN(count)
		}
		for i := range count {
			stream := uint32(1 + 2*rnd.IntN(5))
			switch rnd.IntN(5) {
			case 0, 1:
				_ = fr.WriteData(stream, false, make([]byte, rnd.IntN(1+rnd.IntN(16_000))))
			case 2:
				more := rnd.IntN(4)
				_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: make([]byte, rnd.IntN(40)), EndHeaders: more == 0})
				for ; more > 0; more-- {
					_ = fr.WriteContinuation(stream, more == 1, make([]byte, rnd.IntN(40)))
				}
			case 3:
				_ = fr.WritePing(true, [8]byte{})
			case 4:
				_ = fr.WriteWindowUpdate(0, 1)
			}
			if i == last {
				_ = fr.WriteGoAway(9, http2.ErrCodeNo, nil)
			}
		}
	})
}

// describe lists frames as a framer reads them, which checks their order.
func describe(p []byte) (frames []string, err error) {
	fr := http2.NewFramer(nil, bytes.NewReader(p))
	for {
		f, err := fr.ReadFrame()
		switch f := f.(type) {
		case nil:
			if err == io.EOF {
				return frames, nil
			}
			return frames, err
		case *http2.GoAwayFrame:
			frames = append(frames, fmt.Sprintf("GOAWAY %d %v", f.LastStreamID, f.ErrCode))
		default:
			frames = append(frames, f.Header().String())
		}
	}
}

const farewellText = "GOAWAY 2147483647 NO_ERROR"

// The farewell is asked for at any time, by several at once, while frames are
// written in pieces of any size: the client reads the same frames, and the
// farewell once among them, unless grpc-go's own GOAWAY came first.
func TestFarewellAmongRandomFrames(t *testing.T) {
	certs, err := devcert.New()
	assert.NoError(t, err)
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	where := map[string]int{}
	for seed := range uint64(rounds) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		goAway := rnd.IntN(3) == 0
		p := randomFrames(t, rnd, goAway)
		want, err := describe(p)
		assert.NoError(t, err)

		server, received := tlsPipe(t, certs)
		var asking sync.WaitGroup
		for range 1 + rnd.IntN(2) {
			yields := rnd.IntN(1 + rnd.IntN(400))
			asking.Go(func() {
				for range yields {
					runtime.Gosched()
				}
				server.sayFarewell()
			})
		}
		for rest := p; len(rest) > 0; {
			n := min(len(rest), 1+rnd.IntN(1+rnd.IntN(1+rnd.IntN(20_000))))
			m, err := server.Write(rest[:n])
			assert.NoError(t, err)
			assert.Equal(t, m, n)
			rest = rest[n:]
		}
		asking.Wait()
		frames, err := describe(received())
		if err != nil {
			t.Fatalf("seed %d: the frames are out of order: %v\n%q", seed, err, frames)
		}

		at := slices.Index(frames, farewellText)
		own := slices.Index(frames, "GOAWAY 9 NO_ERROR")
		switch {
		case at < 0 && !goAway:
			t.Fatalf("seed %d: there is no farewell in %q", seed, frames)
		case at == 0:
			t.Fatalf("seed %d: the farewell comes before SETTINGS", seed)
		case at > own && goAway:
			t.Fatalf("seed %d: the farewell comes after a GOAWAY: %q", seed, frames)
		}
		switch {
		case at < 0:
			where["none"]++
		case at == len(frames)-1:
			where["last"]++
		default:
			where["between"]++
		}
		if at >= 0 {
			frames = slices.Delete(frames, at, at+1)
		}
		if !slices.Equal(frames, want) {
			t.Fatalf("seed %d: the client read\n%q\nand the server wrote\n%q", seed, frames, want)
		}
	}
	t.Logf("the farewell stood %v", where)
	if !testing.Short() && (where["none"] == 0 || where["last"] == 0 || where["between"] == 0) {
		t.Errorf("the farewell stood %v; each was to be seen", where)
	}
}

// A stream of data that never pauses between frames does not hold it up.
func TestFarewellInsideAWrite(t *testing.T) {
	certs, err := devcert.New()
	assert.NoError(t, err)
	server, received := tlsPipe(t, certs)
	p := framesOf(t, func(fr *http2.Framer) {
		_ = fr.WriteSettings()
		for range 4 {
			_ = fr.WriteData(1, false, make([]byte, 100))
		}
	})
	half := 9 + 9 + 50 // inside the first DATA
	_, err = server.Write(p[:half])
	assert.NoError(t, err)
	server.sayFarewell()
	assert.Equal(t, server.wanted.Load(), true)
	_, err = server.Write(p[half : len(p)-50]) // ends inside the last
	assert.NoError(t, err)
	assert.Equal(t, server.wanted.Load(), false)
	server.sayFarewell() // twice is once
	_, err = server.Write(p[len(p)-50:])
	assert.NoError(t, err)
	frames, err := describe(received())
	assert.NoError(t, err)
	assert.Equal(t, len(frames), 6)
	assert.Equal(t, frames[2], farewellText)
}

// A peer that does not read holds up neither the farewell nor its caller.
func TestFarewellToAPeerThatDoesNotRead(t *testing.T) {
	certs, err := devcert.New()
	assert.NoError(t, err)
	near, far := net.Pipe()
	client := tls.Client(far, tlsx.ClientConfig(certs.ClientSource(), tlsx.ServerName("localhost")))
	server := &tlsConn{Conn: tls.Server(near, certs.ServerSource().Current().ServerConfig())}
	var shaking sync.WaitGroup
	shaking.Go(func() {
		_ = client.Handshake()
		_, _ = client.Read(make([]byte, 9)) // SETTINGS, and nothing after it
	})
	assert.NoError(t, server.Handshake())
	_, err = server.Write(framesOf(t, func(fr *http2.Framer) { _ = fr.WriteSettings() }))
	assert.NoError(t, err)
	shaking.Wait()
	server.sayFarewell() // returns by its deadline
	_ = far.Close()
	_ = near.Close()
}
