package healthx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// maxResponseHeader bounds the header of an answer to the check of [HTTP].
const maxResponseHeader = 64 << 10

// HTTPOption configures the check of [HTTP]. HTTPOptions come from this
// package only and can be printed. The last of a kind wins.
type HTTPOption interface {
	// String describes the option.
	String() string

	apply(*httpCheck)
}

type httpOption struct {
	name string
	set  func(*httpCheck)
}

func (o httpOption) String() string     { return o.name }
func (o httpOption) apply(c *httpCheck) { o.set(c) }

// HTTPClient has the check use a client of the program, with its transport,
// proxy, cookies and time limit. Its rule for redirects is not used. Default
// and nil: a client of the check's own, which speaks HTTP/1.1 without a proxy.
// The client is not modified and stays the caller's.
func HTTPClient(client *http.Client) HTTPOption {
	return httpOption{"HTTPClient", func(c *httpCheck) { c.given = client }}
}

// HTTPTLSConfig sets the TLS configuration of the check's own client, for a
// private CA or a client certificate. Default and nil: the roots of the
// system. It is read at each check and may not be modified any more. A client
// of [HTTPClient] brings its own configuration; both together are an error.
func HTTPTLSConfig(config *tls.Config) HTTPOption {
	return httpOption{"HTTPTLSConfig", func(c *httpCheck) { c.tls = config }}
}

type httpCheck struct {
	url    string
	shown  string // without what may be secret
	given  *http.Client
	tls    *tls.Config
	client *http.Client
}

// HTTP returns a check for [Registry.AddCheck] that sends a GET to an absolute
// http or https URL and passes on a status of 200 to 399, as kubelet's probes
// do. A redirect passes and is not followed, so that the check cannot be sent
// elsewhere. The body is not read. Every check makes a connection of its own
// and closes it.
//
// A user and password in the URL are sent as basic authentication. Neither
// they nor the query of the URL are in an error's text. With arguments that
// cannot work the check fails each time and says why.
func HTTP(rawURL string, opts ...HTTPOption) func(context.Context) error {
	c, err := newHTTPCheck(rawURL, opts)
	if err != nil {
		return failing(err)
	}
	return c.check
}

func newHTTPCheck(rawURL string, opts []HTTPOption) (*httpCheck, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		// The text is not shown: what does not parse may hold a password anywhere.
		return nil, errors.New("http: the URL is not an absolute http or https URL; give one as in \"https://payments:8443/readyz\"")
	}
	c := &httpCheck{url: rawURL, shown: redact(u)}
	for _, opt := range opts {
		if opt != nil {
			opt.apply(c)
		}
	}
	switch {
	case c.given != nil && c.tls != nil:
		return nil, fmt.Errorf("GET %s: HTTPTLSConfig and HTTPClient are both given; put the configuration into the transport of the client", c.shown)
	case c.given != nil:
		client := *c.given
		c.client = &client
	default:
		c.client = &http.Client{Transport: ownTransport(c.tls)}
	}
	c.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

func ownTransport(config *tls.Config) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		TLSClientConfig:        config,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxResponseHeader,
		Protocols:              protocols,
	}
}

func (c *httpCheck) check(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, http.NoBody)
	if err != nil {
		return fmt.Errorf("GET %s: no request can be made of the URL; check it", c.shown)
	}
	req.Close = true // also of a client that keeps connections
	req.Header.Set("User-Agent", "grpcx-health")
	resp, err := c.client.Do(req)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // the rest of its text is the URL with its query
		}
		return fmt.Errorf("GET %s: %w; check the URL, and that the dependency is up and may be reached from here", c.shown, err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusBadRequest {
		status := strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode)))
		return fmt.Errorf("GET %s: status %s, not 200 to 399; ask the dependency why", c.shown, status)
	}
	return nil
}

// redact returns u without userinfo, query and fragment.
func redact(u *url.URL) string {
	shown := url.URL{Scheme: u.Scheme, Opaque: u.Opaque, Host: u.Host, Path: u.Path, RawPath: u.RawPath, OmitHost: u.OmitHost}
	return shown.String()
}
