package healthcmd

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
)

// A target is where to connect to.
type target struct {
	text             string // as given
	network, address string // for net.Dial
	host             string // the name that a certificate must hold, unless told otherwise
	authority        string // of the calls
}

// parseTarget reads HOST:PORT, unix:PATH, unix:///PATH or unix-abstract:NAME. A
// leading dns:///, as grpc-go writes it, changes nothing.
func parseTarget(text string) (target, error) {
	for _, r := range text {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return target{}, cli.Usagef("address %q holds white space or control characters; write HOST:PORT", text)
		}
	}
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		if rest, absolute := strings.CutPrefix(path, "//"); absolute {
			if path = rest; !strings.HasPrefix(path, "/") {
				return target{}, cli.Usagef("address %q names a host; write unix:PATH, or unix:///PATH for an absolute path", text)
			}
		}
		return socket(text, path, path)
	}
	if name, ok := strings.CutPrefix(text, "unix-abstract:"); ok {
		return socket(text, name, "@"+name)
	}
	hostPort := strings.TrimPrefix(text, "dns:///")
	if u, err := url.Parse(hostPort); err == nil && u.Host != "" && u.Scheme != "" {
		return target{}, cli.Usagef("address %q has a scheme; write HOST:PORT, with --tls where the server has a certificate", text)
	}
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		if strings.Count(hostPort, ":") > 1 {
			return target{}, cli.Usagef("address %q is IPv6 without brackets or without a port; write [ADDR]:PORT, such as [::1]:50051", text)
		}
		return target{}, cli.Usagef("address %q is not HOST:PORT; add the port, such as localhost:50051", text)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return target{}, cli.Usagef("address %q has the port %q; write a number from 1 to 65535", text, port)
	}
	if strings.ContainsAny(host, "/@?#[]\\") || strings.ContainsAny(host, ":%") && !isIP(host) {
		return target{}, cli.Usagef("address %q has the host %q, which is neither a name nor an IP address; write HOST:PORT", text, host)
	}
	if host == "" {
		host = "localhost" // ":50051" is how a server writes its own address
	}
	name, _, _ := strings.Cut(host, "%") // a zone is of this machine only
	return target{
		text: text, network: "tcp", address: net.JoinHostPort(host, port),
		host: name, authority: net.JoinHostPort(name, port),
	}, nil
}

func isIP(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func socket(text, name, address string) (target, error) {
	if name == "" {
		return target{}, cli.Usagef("address %q names no socket; write unix:PATH", text)
	}
	return target{text: text, network: "unix", address: address, host: "localhost", authority: "localhost"}, nil
}
