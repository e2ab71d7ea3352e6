package grpcx

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"golang.org/x/net/http2"

	"github.com/grpcx-go/sdk/internal/assert"
)

// scanIn scans the bytes in pieces of the given sizes, over and over, and
// returns how often a GOAWAY was reported.
func scanIn(f *frameScanner, p []byte, sizes []int) (found int) {
	for i := 0; len(p) > 0; i++ {
		n := len(p)
		if len(sizes) > 0 {
			n = min(n, max(sizes[i%len(sizes)], 0))
		}
		if f.scan(p[:n]) {
			found++
		}
		p = p[n:]
	}
	return found
}

// framesOf writes frames with a real framer: what grpc-go sends.
func framesOf(t testing.TB, write func(*http2.Framer)) []byte {
	t.Helper()
	var b bytes.Buffer
	fr := http2.NewFramer(&b, nil)
	fr.AllowIllegalWrites = true
	write(fr)
	return b.Bytes()
}

func TestFrameScanner(t *testing.T) {
	goAway := func(fr *http2.Framer) { _ = fr.WriteGoAway(1<<31-1, http2.ErrCodeNo, nil) }
	payload := bytes.Repeat([]byte{0, 0, 0, frameGoAway}, 4096) // headers of GOAWAY, if misread
	for _, test := range []struct {
		name  string
		write func(*http2.Framer)
		want  bool
	}{
		{"nothing", func(*http2.Framer) {}, false},
		{"settings", func(fr *http2.Framer) { _ = fr.WriteSettings(); _ = fr.WriteSettingsAck() }, false},
		{"GOAWAY", goAway, true},
		{"GOAWAY with debug data", func(fr *http2.Framer) { _ = fr.WriteGoAway(1, http2.ErrCodeEnhanceYourCalm, []byte("too_many_pings")) }, true},
		{"data that looks like it", func(fr *http2.Framer) { _ = fr.WriteData(7, true, payload) }, false},
		{"stream 7", func(fr *http2.Framer) { _ = fr.WriteRSTStream(frameGoAway, http2.ErrCodeNo) }, false},
		{"after data", func(fr *http2.Framer) { _ = fr.WriteData(1, true, payload); goAway(fr) }, true},
		{"after an empty frame", func(fr *http2.Framer) { _ = fr.WriteData(1, true, nil); goAway(fr) }, true},
		{"before data", func(fr *http2.Framer) { goAway(fr); _ = fr.WriteData(1, true, payload) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := framesOf(t, test.write)
			for size := range 20 { // 0 is all at once
				var f frameScanner
				found := scanIn(&f, p, sizesOf(size))
				assert.Equal(t, found == 1, test.want)
				assert.Equal(t, f.payload+uint32(f.have), uint32(0), "the scanner is not between frames:")
			}
		})
	}
}

func sizesOf(size int) []int {
	if size == 0 {
		return nil
	}
	return []int{size}
}

// Every GOAWAY is reported by the piece that completes its header.
func TestFrameScannerReportsAtTheHeader(t *testing.T) {
	p := framesOf(t, func(fr *http2.Framer) { _ = fr.WriteGoAway(0, http2.ErrCodeNo, []byte("debug")) })
	var f frameScanner
	assert.Equal(t, f.scan(p[:8]), false)
	assert.Equal(t, f.scan(p[8:9]), true)
	assert.Equal(t, f.scan(p[9:]), false)
}

func TestFrameScannerAllocatesNothing(t *testing.T) {
	p := framesOf(t, func(fr *http2.Framer) {
		_ = fr.WriteData(1, false, make([]byte, 10_000))
		_ = fr.WriteGoAway(1, http2.ErrCodeNo, nil)
	})
	var f frameScanner
	if n := testing.AllocsPerRun(100, func() { scanIn(&f, p, nil) }); n != 0 {
		t.Errorf("a scan allocates %v times, want 0", n)
	}
}

// FuzzFrameScanner builds frames from the input, writes them in pieces cut by
// a random sequence, and compares with the list of what was built.
func FuzzFrameScanner(f *testing.F) {
	f.Add([]byte{}, uint64(1))
	f.Add([]byte{frameGoAway, 0, 8}, uint64(2))
	f.Add([]byte{0, 0x40, 0, frameGoAway, 0, 0, 1, 0, 9, frameGoAway, 0, 17}, uint64(3))
	f.Fuzz(func(t *testing.T, spec []byte, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var p []byte
		want := map[int]bool{} // offsets at which a GOAWAY's header ends
		for ; len(spec) >= 3; spec = spec[3:] {
			kind, length := spec[0], uint32(binary.BigEndian.Uint16(spec[1:]))
			p = append(p, byte(length>>16), byte(length>>8), byte(length), kind, byte(rnd.Uint32()))
			p = binary.BigEndian.AppendUint32(p, rnd.Uint32())
			if kind == frameGoAway {
				want[len(p)] = true
			}
			for range length {
				p = append(p, byte(rnd.Uint32N(10))) // GOAWAY's type among them
			}
		}
		p = p[:len(p)-rnd.IntN(min(len(p), 12)+1)] // a write may have been short

		var s frameScanner
		for from := 0; from < len(p); {
			to := min(len(p), from+rnd.IntN(1+rnd.IntN(1+rnd.IntN(1<<15))))
			has := false
			for end := range want {
				has = has || from < end && end <= to
			}
			if got := s.scan(p[from:to]); got != has {
				t.Fatalf("bytes %d to %d of %d: the scanner says %v, want %v", from, to, len(p), got, has)
			}
			from = to
		}
	})
}

func BenchmarkFrameScanner(b *testing.B) {
	p := framesOf(b, func(fr *http2.Framer) { // a unary reply
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: make([]byte, 20), EndHeaders: true})
		_ = fr.WriteData(1, false, make([]byte, 100))
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: make([]byte, 10), EndHeaders: true, EndStream: true})
	})
	var f frameScanner
	for b.Loop() {
		f.scan(p)
	}
}
