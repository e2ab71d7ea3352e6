package certscmd

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/grpcx-go/sdk/tlsx"
)

const defaultLifetime = 24 * time.Hour

// A request is a checked wish for one certificate.
type request struct {
	name            string
	subject         pkix.Name
	rawSubject      []byte // of the certificate to renew, instead of subject
	usage           tlsx.Usage
	dns             []string
	ips             []net.IP
	uris            []*url.URL
	lifetime        time.Duration
	key             keyAlgorithm
	keyEncipherment bool // asked for by a cfssl profile; RSA keys only
}

// An entry is a wish as it is written: by flags, in YAML or in CSV.
type entry struct {
	Name       string   `yaml:"name"`
	Profile    string   `yaml:"profile"`
	CommonName string   `yaml:"common_name"` //nolint:tagliatelle // as the column of CSV
	DNS        []string `yaml:"dns"`
	IP         []string `yaml:"ip"`
	URI        []string `yaml:"uri"`
	SPIFFE     string   `yaml:"spiffe"`
	Lifetime   string   `yaml:"lifetime"`
	Key        string   `yaml:"key"`
}

// or fills what is not said from the defaults.
func (e entry) or(d entry) entry {
	for _, f := range []struct{ to, from *string }{{&e.Profile, &d.Profile}, {&e.Lifetime, &d.Lifetime}, {&e.Key, &d.Key}} {
		if *f.to == "" {
			*f.to = *f.from
		}
	}
	return e
}

// request checks the entry. The error has all that is wrong with it.
func (e entry) request() (request, error) {
	r := request{name: e.Name, lifetime: defaultLifetime}
	var p problems
	if e.Profile != "" {
		if err := r.usage.UnmarshalText([]byte(e.Profile)); err != nil {
			p.addf("profile %q is unknown; use server, client or both", clean(e.Profile))
		}
	}
	if e.Lifetime != "" {
		var err error
		r.lifetime, err = parseLifetime(e.Lifetime)
		p.add(err)
	}
	var err error
	r.key, err = parseKeyAlgorithm(e.Key)
	p.add(err)
	p.add(r.setCommonName(e.CommonName))
	for _, name := range e.DNS {
		p.add(r.addDNS(name))
	}
	for _, ip := range e.IP {
		p.add(r.addIP(ip))
	}
	for _, uri := range e.URI {
		p.add(r.addURI(uri))
	}
	if e.SPIFFE != "" {
		if len(e.URI) > 0 {
			p.addf("an X.509-SVID holds one URI only; give the SPIFFE ID or other URIs, not both")
		}
		if !validSPIFFEID(e.SPIFFE) {
			p.addf("%q is not a SPIFFE ID; use the form spiffe://trust-domain/path in lower-case domain letters, without empty or dot segments", clean(e.SPIFFE))
		} else {
			p.add(r.addURI(e.SPIFFE))
		}
	}
	if len(p) == 0 {
		p.add(r.checkNames())
	}
	return r, p.err()
}

// checkNames wants a name that peers check.
func (r *request) checkNames() error {
	if len(r.dns)+len(r.ips)+len(r.uris) > 0 {
		return nil
	}
	if r.subject.CommonName != "" {
		return errors.New("a common name is not an identity: peers do not look at it; add a DNS name, an IP address, a URI or a SPIFFE ID")
	}
	return errors.New("no name is given; add a DNS name, an IP address, a URI or a SPIFFE ID")
}

func (r *request) setCommonName(name string) error {
	if len(name) > 64 || clean(name) != name {
		return fmt.Errorf("common name %q is too long or not printable; use up to 64 bytes", clean(name))
	}
	r.subject.CommonName = name
	return nil
}

func (r *request) addDNS(name string) error {
	lower := strings.ToLower(name)
	if _, err := netip.ParseAddr(name); err == nil {
		return fmt.Errorf("DNS name %q is an IP address; give it as one", clean(name))
	}
	if !validDNSName(lower) {
		return fmt.Errorf(`%q is not a DNS name; use one such as "api.example.com" or "*.example.com"`, clean(name))
	}
	if !slices.Contains(r.dns, lower) {
		r.dns = append(r.dns, lower)
	}
	return nil
}

func (r *request) addIP(s string) error {
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return fmt.Errorf("%q is not an IP address; use one such as 10.0.0.1 or fd00::1", clean(s))
	}
	if ip := net.IP(addr.Unmap().AsSlice()); !slices.ContainsFunc(r.ips, ip.Equal) {
		r.ips = append(r.ips, ip)
	}
	return nil
}

func (r *request) addURI(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Scheme == "", u.Host == "", u.User != nil, len(s) > 2048, strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }):
		return fmt.Errorf("%q is not an absolute URI with a host; use one such as spiffe://example.org/api", clean(s))
	case u.Scheme == "spiffe" && !validSPIFFEID(s):
		return fmt.Errorf("%q is not a SPIFFE ID; use the form spiffe://trust-domain/path", clean(s))
	}
	if u.Scheme == "spiffe" && len(r.uris) > 0 || len(r.uris) > 0 && r.uris[0].Scheme == "spiffe" {
		return errors.New("an X.509-SVID holds one URI only; leave the other URIs out")
	}
	r.uris = append(r.uris, u)
	return nil
}

func (r *request) extKeyUsage() []x509.ExtKeyUsage {
	switch r.usage {
	case tlsx.ForClient:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	case tlsx.ForBoth:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	default:
		return []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
}

// validName accepts what names a certificate's directory.
func validName(name string) bool {
	return name != "" && len(name) <= 100 && name[0] != '.' && name[0] != '-' &&
		!strings.ContainsFunc(name, func(r rune) bool {
			return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '-' || r == '_')
		})
}

// validDNSName accepts a host name, or one with a wildcard as its first label.
func validDNSName(name string) bool {
	name = strings.TrimPrefix(name, "*.")
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' }) {
			return false
		}
	}
	return true
}

// validSPIFFEID checks the form of a workload's ID (SPIFFE-ID standard,
// section 2).
func validSPIFFEID(id string) bool {
	rest, ok := strings.CutPrefix(id, "spiffe://")
	domain, path, slash := strings.Cut(rest, "/")
	if !ok || !slash || len(id) > 2048 || domain == "" || len(domain) > 255 || strings.ContainsFunc(domain, notDomainChar) {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." ||
			strings.ContainsFunc(segment, func(r rune) bool { return notDomainChar(r) && (r < 'A' || r > 'Z') }) {
			return false
		}
	}
	return true
}

func notDomainChar(r rune) bool {
	return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '.' || r == '-' || r == '_')
}
