package grpcx

// frameScanner follows the HTTP/2 frames (RFC 9113 section 4.1) in the bytes
// that the server writes to one connection and finds GOAWAY, whatever made
// grpc-go send it: the drain, the connection's age, or a protocol error. Writes
// may end anywhere, within a header too.
type frameScanner struct {
	payload uint32  // bytes of the current frame still to come
	header  [9]byte // the header being collected
	have    int     // how much of it is there
}

const frameGoAway = 0x7

// scan takes the next bytes written and reports whether a GOAWAY frame's
// header was among them.
func (f *frameScanner) scan(p []byte) (goAway bool) {
	for len(p) > 0 {
		if f.payload > 0 {
			n := min(uint32(len(p)), f.payload)
			f.payload -= n
			p = p[n:]
			continue
		}
		n := copy(f.header[f.have:], p)
		f.have += n
		p = p[n:]
		if f.have < len(f.header) {
			return goAway
		}
		f.have = 0
		f.payload = uint32(f.header[0])<<16 | uint32(f.header[1])<<8 | uint32(f.header[2])
		if f.header[3] == frameGoAway {
			goAway = true
		}
	}
	return goAway
}
