package healthcmd

import (
	"crypto/tls"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/metadata"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
)

// Options are the flags as given.
type options struct {
	args  []string
	given func(flag string) bool

	addr, service                        string
	watch, tls, noVerify, gzip           bool
	ca, cert, key, serverName            string
	timeout, connectTimeout, callTimeout time.Duration
	userAgent                            string
	headers                              []string
	format                               cli.Format
}

// A request is what the flags ask for, checked.
type request struct {
	target  target
	service string
	tls     *tlsRequest // nil in plaintext

	// The connection may take until connect after the start, the call until
	// call after the connection, and both together until total, where it is
	// not zero.
	connect, call, total time.Duration

	userAgent string
	headers   metadata.MD
	gzip      bool
}

// A tlsRequest is the client side of TLS, and where it came from.
type tlsRequest struct {
	config            *tls.Config // a template: never used itself
	caFile, certFile  string
	serverName        string    // the name that is verified
	ownFrom, ownUntil time.Time // validity of the client certificate
}

// request checks the options. It opens files, and nothing else.
func (o *options) request() (*request, error) {
	address, err := o.address()
	if err != nil {
		return nil, err
	}
	target, err := parseTarget(address)
	if err != nil {
		return nil, err
	}
	if !utf8.ValidString(o.service) {
		return nil, cli.Usagef("--service %q is not UTF-8; a service is named as in its .proto, package.Service", o.service)
	}
	r := &request{target: target, service: o.service, gzip: o.gzip, userAgent: o.userAgent}
	if r.userAgent == "" {
		r.userAgent = "grpcx-health/" + cli.Version()
	}
	if err := o.timeouts(r); err != nil {
		return nil, err
	}
	if r.headers, err = parseHeaders(o.headers); err != nil {
		return nil, err
	}
	r.tls, err = o.tlsRequest(target)
	return r, err
}

func (o *options) address() (string, error) {
	switch {
	case o.addr != "" && len(o.args) > 0:
		return "", cli.Usagef("both ADDR %q and --addr %q are given; leave --addr out", o.args[0], o.addr)
	case len(o.args) > 1:
		return "", cli.Usagef("%d addresses are given, %q and %q first; ask one server at a time", len(o.args), o.args[0], o.args[1])
	case len(o.args) == 1:
		return o.args[0], nil
	case o.addr != "":
		return o.addr, nil
	}
	return "", cli.Usagef(`no address is given; write "grpcx health HOST:PORT"`)
}

func (o *options) timeouts(r *request) error {
	for _, t := range []struct {
		flag  string
		value time.Duration
	}{{"timeout", o.timeout}, {"connect-timeout", o.connectTimeout}, {"rpc-timeout", o.callTimeout}} {
		if t.value <= 0 {
			return cli.Usagef("--%s %v is not above zero; write a duration such as 1s or 500ms", t.flag, t.value)
		}
	}
	apart := o.given("connect-timeout") || o.given("rpc-timeout")
	switch {
	case apart && o.given("timeout"):
		return cli.Usagef("--timeout bounds the whole; leave out --connect-timeout and --rpc-timeout, or give only these")
	case apart:
		r.connect, r.call = o.connectTimeout, o.callTimeout
	default:
		r.connect, r.call, r.total = o.timeout, o.timeout, o.timeout
	}
	return nil
}

func (o *options) tlsRequest(t target) (*tlsRequest, error) {
	switch {
	case o.noVerify && o.ca != "":
		return nil, cli.Usagef("--tls-no-verify makes no use of --ca; leave out one of them")
	case o.noVerify && o.serverName != "":
		return nil, cli.Usagef("--tls-no-verify makes no use of --server-name; leave out one of them")
	case o.cert != "" && o.key == "":
		return nil, cli.Usagef("--cert is given without --key; name the file of its private key")
	case o.key != "" && o.cert == "":
		return nil, cli.Usagef("--key is given without --cert; name the file of its certificate")
	}
	for _, flag := range []string{"ca", "tls-ca-cert", "cert", "tls-client-cert", "key", "tls-client-key", "server-name", "tls-server-name"} {
		if o.given(flag) && o.of(flag) == "" {
			return nil, cli.Usagef("--%s is empty; give it a value or leave it out", flag)
		}
	}
	if !o.tls && !o.noVerify && o.ca == "" && o.cert == "" && o.serverName == "" {
		return nil, nil //nolint:nilnil // nil is plaintext
	}
	return loadTLS(o, t)
}

// of returns the value of a TLS flag by one of its two names.
func (o *options) of(flag string) string {
	switch flag {
	case "ca", "tls-ca-cert":
		return o.ca
	case "cert", "tls-client-cert":
		return o.cert
	case "key", "tls-client-key":
		return o.key
	}
	return o.serverName
}
