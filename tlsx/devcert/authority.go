package devcert

import (
	"crypto/x509"
	"fmt"
	"path/filepath"
	"time"

	"github.com/grpcx-go/sdk/tlsx"
)

// An Authority holds a development server's and client's certificate that trust
// each other. It is immutable and safe for concurrent use: nothing renews it
// while the program runs.
type Authority struct {
	ca             *x509.Certificate
	server, client *tlsx.Snapshot
	dir            string // empty in memory
}

// New makes a set in memory. All problems with the options are joined.
func New(opts ...Option) (*Authority, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	m, err := issue(c, time.Now())
	if err != nil {
		return nil, err
	}
	return newAuthority(m, "")
}

func newAuthority(m *material, dir string) (*Authority, error) {
	cas := []*x509.Certificate{m.ca}
	server, err := tlsx.NewSnapshot(tlsx.Material{Certificate: m.server, ClientCAs: cas})
	if err != nil {
		return nil, fmt.Errorf("devcert: server: %w", err)
	}
	client, err := tlsx.NewSnapshot(tlsx.Material{Certificate: m.client, ClientCAs: cas, Usage: tlsx.ForClient})
	if err != nil {
		return nil, fmt.Errorf("devcert: client: %w", err)
	}
	return &Authority{ca: m.ca, server: server, client: client, dir: dir}, nil
}

// ServerSource returns the server's certificate. It requires clients to present
// the certificate of ClientSource.
func (a *Authority) ServerSource() tlsx.Source { return tlsx.Static(a.server) }

// ClientSource returns the client's certificate, for [tlsx.ClientConfig]. Its
// identity is the DNS name client.localhost.
func (a *Authority) ClientSource() tlsx.Source { return tlsx.Static(a.client) }

// ServerFiles names the server's files, the zero value for a set in memory.
func (a *Authority) ServerFiles() tlsx.Files {
	if a.dir == "" {
		return tlsx.Files{}
	}
	return tlsx.Files{Cert: a.path(serverCert), Key: a.path(serverKey), ClientCA: a.path(caCert)}
}

// ClientFiles names the client's files, the zero value for a set in memory.
func (a *Authority) ClientFiles() tlsx.Files {
	if a.dir == "" {
		return tlsx.Files{}
	}
	return tlsx.Files{Cert: a.path(clientCert), Key: a.path(clientKey), ClientCA: a.path(caCert), Usage: tlsx.ForClient}
}

// CAFile names the file of the authority's certificate, for the flags of tools
// such as grpcurl; it is empty for a set in memory.
func (a *Authority) CAFile() string {
	if a.dir == "" {
		return ""
	}
	return a.path(caCert)
}

// CA returns the authority's certificate. It must not be modified.
func (a *Authority) CA() *x509.Certificate { return a.ca }

// NotAfter returns when the set expires.
func (a *Authority) NotAfter() time.Time {
	first := a.ca.NotAfter
	for _, s := range []*tlsx.Snapshot{a.server, a.client} {
		if s.NotAfter().Before(first) {
			first = s.NotAfter()
		}
	}
	return first
}

func (a *Authority) path(name string) string { return filepath.Join(a.dir, name) }
