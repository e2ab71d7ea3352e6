package grpcx

// frameScanner follows the HTTP/2 frames (RFC 9113 section 4.1) in the bytes
// that the server writes to one connection. It finds GOAWAY, whatever made
// grpc-go send it (the drain, the connection's age, a protocol error), and the
// places where a frame of ours may stand. Writes may end anywhere, within a
// header too.
type frameScanner struct {
	payload  uint32  // bytes of the current frame still to come
	header   [9]byte // the header being collected
	have     int     // how much of it is there
	started  bool    // the first frame, SETTINGS, has begun
	headers  bool    // a header block goes on in the next frame
	goneAway bool    // a GOAWAY has begun
}

const (
	frameHeaders      = 0x1
	framePushPromise  = 0x5
	frameGoAway       = 0x7
	frameContinuation = 0x9

	flagEndHeaders = 0x4
)

// scan takes the next bytes written and reports whether a GOAWAY frame's
// header was among them.
func (f *frameScanner) scan(p []byte) (goAway bool) {
	for len(p) > 0 {
		n, found := f.step(p)
		goAway = goAway || found
		p = p[n:]
	}
	return goAway
}

// step takes what p holds of the current frame and reports whether that
// completed the header of a GOAWAY.
func (f *frameScanner) step(p []byte) (n int, goAway bool) {
	if f.payload == 0 {
		n = copy(f.header[f.have:], p)
		if f.have += n; f.have < len(f.header) {
			return n, false
		}
		goAway = f.begin()
	}
	rest := min(uint32(len(p)-n), f.payload)
	f.payload -= rest
	return n + int(rest), goAway
}

// begin reads the header that is complete.
func (f *frameScanner) begin() (goAway bool) {
	f.have, f.started = 0, true
	f.payload = uint32(f.header[0])<<16 | uint32(f.header[1])<<8 | uint32(f.header[2])
	switch f.header[3] {
	case frameHeaders, framePushPromise, frameContinuation:
		f.headers = f.header[4]&flagEndHeaders == 0
	case frameGoAway:
		f.goneAway = true
		return true
	}
	return false
}

// between reports whether a frame of ours may stand here: after SETTINGS, not
// inside a frame or a header block (RFC 9113 sections 3.4 and 4.3).
func (f *frameScanner) between() bool {
	return f.started && f.payload == 0 && f.have == 0 && !f.headers
}
