package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// preface is what an HTTP/2 client begins with (RFC 9113, section 3.4): the
// magic and an empty SETTINGS frame.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"

// frameHeader and settingsFrame are from RFC 9113, sections 4.1 and 6.5.
const (
	frameHeader   = 9
	settingsFrame = 4
)

// handshakes opens connections up to the server's SETTINGS, and closes them.
type handshakes struct {
	ctx     context.Context
	addr    string
	resumed bool
	dialers []*tls.Config // in parallel, each with a cache of its own
}

func openHandshakes(ctx context.Context, p *process) (session, error) {
	s := &handshakes{ctx: ctx, addr: p.addr}
	for range connections {
		s.dialers = append(s.dialers, dialConfig(p))
	}
	return s, nil
}

// openResumed fetches the first ticket of each dialer.
func openResumed(ctx context.Context, p *process) (session, error) {
	s := &handshakes{ctx: ctx, addr: p.addr, resumed: true}
	for range connections {
		config := dialConfig(p)
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		s.dialers = append(s.dialers, config)
		if err := s.connect(config, false); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func dialConfig(p *process) *tls.Config {
	config := p.tls.Clone()
	config.NextProtos = []string{"h2"}
	return config
}

func (s *handshakes) run(n int) ([]time.Duration, error) {
	errs := make([]error, len(s.dialers))
	var wg sync.WaitGroup
	for i, config := range s.dialers {
		wg.Go(func() {
			for j := i; j < n && errs[i] == nil; j += len(s.dialers) {
				errs[i] = s.connect(config, s.resumed)
			}
		})
	}
	wg.Wait()
	return nil, errors.Join(errs...)
}

func (s *handshakes) connect(config *tls.Config, resumed bool) (err error) {
	ctx, cancel := context.WithTimeout(s.ctx, callTimeout)
	defer cancel()
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return err
	}
	conn := tls.Client(raw, config)
	defer func() { err = errors.Join(err, raw.Close()) }()
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	if got := conn.ConnectionState().DidResume; got != resumed {
		return fmt.Errorf("the connection resumed a session: %t, want %t", got, resumed)
	}
	if _, err := io.WriteString(conn, preface); err != nil {
		return err
	}
	var header [frameHeader]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		return err
	}
	if header[3] != settingsFrame {
		return fmt.Errorf("the server began with a frame of type %d, want SETTINGS", header[3])
	}
	return nil
}

func (s *handshakes) close() error { return nil }
