package otlpx

import (
	"net"
	"net/url"
	"strconv"
	"strings"
)

// endpoint is where a collector listens.
type endpoint struct {
	variable string // that said so
	target   string // a URL, or the target of a gRPC connection
	insecure bool
	text     string // for people
}

// readEndpoint reads the endpoint of one signal. The variable of the signal is
// used as it is, the one for all three is the base of its path.
func readEndpoint(env *environ, k kind, protocol string, names []string) endpoint {
	value, name := env.first(names...)
	if value == "" {
		value = "http://localhost:4318"
		if protocol == protocolGRPC {
			value = "http://localhost:4317"
		}
	}
	e := endpoint{variable: name}
	if target, ok := strings.CutPrefix(value, "unix:"); ok && protocol == protocolGRPC && target != "" {
		e.target, e.insecure, e.text = value, true, value
		return e
	}
	u, err := url.Parse(value)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" || !validPort(u.Port()) {
		example := "http://collector:4318"
		if protocol == protocolGRPC {
			example = "http://collector:4317"
		}
		// Not the value: it may hold a password.
		env.failf(name, "it is not a URL of http or https with a host; write one, such as %s", example)
		return e
	}
	if u.User != nil {
		env.failf(name, "it has a user in it, which no exporter sends; use OTEL_EXPORTER_OTLP_HEADERS")
	}
	if u.RawQuery != "" || u.Fragment != "" {
		env.failf(name, "it has a query or a fragment, which no exporter sends; leave it out")
	}
	e.insecure = u.Scheme == "http"
	port := u.Port()
	if port == "" {
		port = "443"
		if e.insecure {
			port = "80"
		}
	}
	if protocol == protocolGRPC {
		e.target = net.JoinHostPort(u.Hostname(), port)
		e.text = u.Scheme + "://" + e.target
		return e
	}
	if name == names[len(names)-1] {
		u = u.JoinPath("v1", string(k))
	} else if u.Path == "" {
		u.Path = "/"
	}
	e.target = u.String()
	e.text = u.String()
	return e
}

func validPort(port string) bool {
	if port == "" {
		return true
	}
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}
