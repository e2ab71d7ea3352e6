package tlsx_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// Matchers from a configuration file.
func ExampleParseMatcher() {
	matcher, err := tlsx.ParseMatcher("spiffe://example.org/* dns:*.batch.example.org")
	fmt.Println(matcher, err)
	_, err = tlsx.ParseMatcher("spiffe://example.org/ns/*")
	fmt.Println(err)
	// Output:
	// spiffe://example.org/* dns:*.batch.example.org <nil>
	// tlsx: matcher: SPIFFE ID "spiffe://example.org/ns/*" has a wildcard, which may only stand for the whole path; write spiffe://example.org/* for all of the trust domain
}

// The list of clients changes while the server runs; what is open is judged
// anew.
func ExampleReloader_SetAllow() {
	dir, err := os.MkdirTemp("", "tls")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	authority, err := devcert.Dir(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	reloader, err := tlsx.NewReloader(authority.ServerFiles())
	if err != nil {
		fmt.Println(err)
		return
	}
	client := authority.ClientSource().Current().Leaf()
	open := tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{client}}

	id, err := reloader.Current().Recheck(open, time.Now())
	fmt.Println(id, err)

	if err := reloader.SetAllow(tlsx.AllowDNS("*.example.org")); err != nil {
		fmt.Println(err)
		return
	}
	_, err = reloader.Current().Recheck(open, time.Now())
	if refused, ok := errors.AsType[*tlsx.PeerError](err); ok {
		fmt.Println(refused.Reason)
	}
	// Output:
	// client.localhost <nil>
	// not-allowed
}
