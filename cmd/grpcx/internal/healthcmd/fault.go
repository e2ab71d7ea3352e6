package healthcmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
)

// Kinds of faults, as in the JSON output.
const (
	kindConnect        = "connect"
	kindTLS            = "tls"
	kindCall           = "call"
	kindNotServing     = "not_serving"
	kindUnknownService = "unknown_service"
	kindInterrupted    = "interrupted"
)

// A fault is why a server is not known to be SERVING.
type fault struct {
	kind string
	code int // exit code
	err  error
}

// Error says what is wrong with which address, and the remedy.
func (f *fault) Error() string { return f.err.Error() }

// Unwrap returns the cause.
func (f *fault) Unwrap() error { return f.err }

func newFault(r *request, kind string, code int, format string, args ...any) *fault {
	return &fault{kind: kind, code: code, err: fmt.Errorf("%s: %w", r.target.text, fmt.Errorf(format, args...))}
}

func connectFault(r *request, format string, args ...any) *fault {
	return newFault(r, kindConnect, exitConnect, format, args...)
}

func callFault(r *request, format string, args ...any) *fault {
	return newFault(r, kindCall, exitCall, format, args...)
}

func interrupted(r *request) *fault {
	return newFault(r, kindInterrupted, cli.Failed, "interrupted before an answer; ask again")
}

// The ways in which an attempt ends.
type ending bool

const (
	failed  ending = false
	expired ending = true
)

// timedOut explains an attempt whose context ended.
func (a *attempt) timedOut(ctx context.Context) *fault {
	if errors.Is(ctx.Err(), context.Canceled) {
		return interrupted(a.request)
	}
	return a.fault(expired)
}

// fault explains an attempt without a connection.
func (a *attempt) fault(how ending) *fault {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.request
	switch {
	case a.dialErr != nil && !errors.Is(a.dialErr, context.DeadlineExceeded) && !errors.Is(a.dialErr, context.Canceled):
		return dialFault(r, a.dialErr)
	case !a.connected:
		return connectFault(r, "no connection within %v; check the address, firewalls on the way, or raise --timeout", r.connect)
	case len(a.first) == 0 && how == expired:
		return connectFault(r, "connected, but no answer within %v; the server hangs, is not a gRPC server, or needs a larger --timeout", r.connect)
	case r.tls != nil && a.handshaken == nil:
		return a.tlsFault()
	case r.tls != nil && !a.answered && (a.asked && how == failed || remoteAlert(a.ioErr) != ""):
		return a.refusedFault()
	}
	return a.protocolFault(how)
}

// dialFault explains why there is no transport connection.
func dialFault(r *request, err error) *fault {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return connectFault(r, "no such host %q; check the spelling, or the DNS of this machine", dns.Name)
		}
		return connectFault(r, "the host %q cannot be resolved: %s; check the DNS of this machine", dns.Name, dns.Err)
	}
	cause := err
	if op, ok := errors.AsType[*net.OpError](err); ok {
		cause = op.Err
		if op.Timeout() {
			return connectFault(r, "no connection: %w; check the address and firewalls on the way", cause)
		}
	}
	remedy := "check the address"
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		remedy = "start the server, or check the port"
	case errors.Is(err, fs.ErrNotExist):
		remedy = "start the server, or check the path of the socket"
	case errors.Is(err, fs.ErrPermission):
		remedy = "run as a user who may use it"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		remedy = "check the address and the routes of this machine"
	}
	return connectFault(r, "no connection: %w; %s", cause, remedy)
}

// protocolFault explains a connection on which HTTP/2 did not begin.
func (a *attempt) protocolFault(how ending) *fault {
	r := a.request
	switch first := string(a.first); {
	case r.tls == nil && isTLS(a.first):
		return connectFault(r, "the server speaks TLS; add --tls, or --ca FILE")
	case r.tls == nil && isHTTP1(a.first):
		return connectFault(r, "the server speaks HTTP/1, not gRPC; check the port")
	case r.tls == nil && first != "" && !isSettings(a.first):
		return connectFault(r, "the server speaks neither gRPC nor TLS, it begins with %q; check the port", first)
	case how == expired:
		return connectFault(r, "connected, but HTTP/2 did not begin within %v; the server hangs or needs a larger --timeout", r.connect)
	case r.tls == nil:
		return connectFault(r, "the server closed the connection at once%s; if it speaks TLS, add --tls", because(a.ioErr))
	}
	return connectFault(r, "the server closed the connection after the TLS handshake%s; look at its log", because(a.ioErr))
}

// because puts an error into a sentence, if there is one.
func because(err error) string {
	if err == nil {
		return ""
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // without the addresses
	}
	return " (" + err.Error() + ")"
}

// isTLS reports whether data begins with a TLS record: an alert or a handshake.
func isTLS(data []byte) bool {
	return len(data) >= 3 && (data[0] == 0x15 || data[0] == 0x16) && data[1] == 3
}

// isHTTP1 reports whether data begins with a response of HTTP/1.
func isHTTP1(data []byte) bool { return bytes.HasPrefix(data, []byte("HTTP/")) }

// isSettings reports whether data begins with a SETTINGS frame (RFC 9113,
// section 3.4).
func isSettings(data []byte) bool { return len(data) >= 4 && data[3] == 4 }
