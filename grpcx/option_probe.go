package grpcx

import (
	"net"
	"strings"
)

// WithProbeAddr serves grpc.health.v1, and nothing else, in plaintext on its
// own address, for probes that have no client certificate: kubelet's gRPC
// probe dials the pod's address without TLS. It stays up until the drain is
// over. Default: none. The last one wins.
func WithProbeAddr(addr string) Option {
	return newOption("WithProbeAddr", addr, func(s *settings) error {
		if err := checkAddr(addr); err != nil {
			return &OptionError{Option: "WithProbeAddr", Err: err}
		}
		s.probeAddr = addr
		return nil
	})
}

// WithProbeTLS makes the listener of [WithProbeAddr] speak TLS, for probes that
// verify the server, or that encrypt and verify nothing (mode TLS of KEP-4939,
// which kubelet 1.36 does not have yet). It serves the certificate that the
// server serves at the time of each handshake, asks for no client certificate
// and issues no session tickets, so that what it accepts counts for nothing on
// the serving port. Default: plaintext. It needs WithProbeAddr, and WithTLSFiles
// or WithTLS.
func WithProbeTLS() Option {
	return newOption("WithProbeTLS", nil, func(s *settings) error { s.probeTLS = true; return nil })
}

// WithAdminAddr serves pages for operators over plaintext HTTP/1.1 on an
// address of their own, until the drain is over:
//
//	/livez /readyz /startupz  health, see [healthx.Registry.Handler]
//	/debug/pprof/             profiles and traces, for go tool pprof and go tool trace
//	/debug/vars               the variables of package expvar, but not the command line
//	/settings                 the effective [Settings]
//	/                         a list, with the pages of [Setup.HandleAdmin]
//
// Nobody is asked who they are. So ":6060" is 127.0.0.1:6060, and only an
// explicit host, as in "0.0.0.0:6060", opens the pages to a network, which
// Serve warns of. "unix:/path" listens on a socket file. Default: none. The
// last one wins.
//
// Methods other than GET and HEAD get 405. A request must name an IP address,
// localhost or the host in addr as its host, and gets 421 otherwise: a web page
// that an operator looks at could read these pages through a name of its own
// that resolves to 127.0.0.1 (DNS rebinding). Header lists are at most 8 KiB, a
// request and its answer may take 30s, a profile its seconds more, and 64
// connections may be open.
//
// kubelet's HTTP probes dial the pod's address and do not reach a loopback one.
// Use WithProbeAddr for kubelet, or serve healthx.Registry.Handler on a mux of
// your own.
func WithAdminAddr(addr string) Option {
	return newOption("WithAdminAddr", addr, func(s *settings) error {
		if err := checkAddr(addr); err != nil {
			return &OptionError{Option: "WithAdminAddr", Err: err}
		}
		if strings.HasPrefix(addr, ":") {
			addr = "127.0.0.1" + addr
		}
		s.adminAddr = addr
		return nil
	})
}

// checkProbes refuses TLS on a probe listener that cannot have it.
func (s *settings) checkProbes() {
	switch {
	case !s.probeTLS:
	case s.probeAddr == "":
		s.errs = append(s.errs, optionErrorf("WithProbeTLS", "", "there is no probe listener; add WithProbeAddr, or leave this out"))
	case s.transport.option == "WithInsecure":
		s.errs = append(s.errs, optionErrorf("WithProbeTLS", "", "the server has no certificate to serve; use WithTLSFiles or WithTLS instead of WithInsecure, or leave this out"))
	}
}

// isOpen reports whether an address that is listened on can be reached from
// another machine.
func isOpen(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && !tcp.IP.IsLoopback()
}

// isLoopback reports whether an address of WithAdminAddr stays on this machine
// by what it says, without asking a resolver.
func isLoopback(addr string) bool {
	if strings.HasPrefix(addr, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(addr)
	return err == nil && (host == "" || strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback())
}
