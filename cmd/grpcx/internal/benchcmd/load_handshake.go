package benchcmd

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"time"
)

// preface is what an HTTP/2 client begins with (RFC 9113, section 3.4): the
// magic and an empty SETTINGS frame.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// Frames are laid out as in RFC 9113, sections 4.1 and 6.5.
const (
	frameHeader   = 9
	settingsFrame = 4
	ackFlag       = 1
	maxFrames     = 16 // before the acknowledgement; grpc-go sends two
)

func openHandshakes(ctx context.Context, p *process) (*session, error) {
	s := &session{}
	for range connections {
		config := p.rawConfig()
		s.callers = append(s.callers, func() error {
			_, err := handshake(ctx, p.Addr, config, false)
			return err
		})
	}
	return s, nil
}

// openResumed fetches the first ticket of each caller, which has a cache of
// its own.
func openResumed(ctx context.Context, p *process) (*session, error) {
	s := &session{}
	for range connections {
		config := p.rawConfig()
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		if _, err := handshake(ctx, p.Addr, config, false); err != nil {
			return nil, err
		}
		s.callers = append(s.callers, func() error {
			_, err := handshake(ctx, p.Addr, config, true)
			return err
		})
	}
	return s, nil
}

// handshake opens a connection, waits until the server has acknowledged the
// client's SETTINGS, and closes it.
func handshake(ctx context.Context, addr string, config *tls.Config, resumed bool) (state tls.ConnectionState, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return state, err
	}
	defer func() { err = cmp.Or(err, raw.Close()) }()
	if tcp, ok := raw.(*net.TCPConn); ok {
		// A reset at the end: tens of thousands of connections in TIME_WAIT
		// would use up the ports of this machine.
		if err := tcp.SetLinger(0); err != nil {
			return state, err
		}
	}
	if err := raw.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return state, err
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return state, err
	}
	state = conn.ConnectionState()
	if state.Version != tls.VersionTLS13 {
		return state, fmt.Errorf("the connection has %s, want TLS 1.3", tls.VersionName(state.Version))
	}
	if state.DidResume != resumed {
		return state, fmt.Errorf("the connection resumed a session: %t, want %t", state.DidResume, resumed)
	}
	if _, err := io.WriteString(conn, preface); err != nil {
		return state, err
	}
	return state, acknowledged(conn)
}

// acknowledged reads frames up to the acknowledgement of SETTINGS.
func acknowledged(conn io.Reader) error {
	var header [frameHeader]byte
	for range maxFrames {
		if _, err := io.ReadFull(conn, header[:]); err != nil {
			return err
		}
		if header[3] == settingsFrame && header[4]&ackFlag != 0 {
			return nil
		}
		length := int64(header[0])<<16 | int64(header[1])<<8 | int64(header[2])
		if _, err := io.CopyN(io.Discard, conn, length); err != nil {
			return err
		}
	}
	return fmt.Errorf("the server did not acknowledge SETTINGS within %d frames", maxFrames)
}
