//nolint:tagliatelle // the names are cfssl's
package certscmd

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/grpcx-go/sdk/tlsx"
)

// A cfsslCSR is the part of cfssl's certificate request that is supported:
// "CN", "hosts", "key", "names" with C, ST, L, O and OU, and "ca" for an
// authority. Other fields are refused by name.
type cfsslCSR struct {
	CN    string   `json:"CN"`
	Hosts []string `json:"hosts"`
	Key   *struct {
		Algo string `json:"algo"`
		Size int    `json:"size"`
	} `json:"key"`
	Names []struct {
		C  string `json:"C"`
		ST string `json:"ST"`
		L  string `json:"L"`
		O  string `json:"O"`
		OU string `json:"OU"`
	} `json:"names"`
	CA *struct {
		Expiry      string `json:"expiry"`
		PathLen     int    `json:"pathlen"`
		PathLenZero bool   `json:"pathlenzero"`
	} `json:"ca"`
}

// A cfsslConfig is the part of cfssl's configuration that is supported:
// "signing" with "default" and "profiles", of each "expiry" and "usages".
type cfsslConfig struct {
	Signing struct {
		Default  *cfsslProfile           `json:"default"`
		Profiles map[string]cfsslProfile `json:"profiles"`
	} `json:"signing"`
}

type cfsslProfile struct {
	Expiry string   `json:"expiry"`
	Usages []string `json:"usages"`
}

// parseCSR reads a request for a server or client. Its usage and lifetime come
// from the profile.
func parseCSR(data []byte) (request, error) {
	var csr cfsslCSR
	if err := decodeJSON(data, &csr); err != nil {
		return request{}, err
	}
	var p problems
	r := csr.request(&p)
	if csr.CA != nil {
		p.addf(`"ca" makes an authority; remove it, or use the file with "grpcx certs init-ca"`)
	}
	for _, host := range csr.Hosts {
		p.add(r.addHost(host))
	}
	if len(p) == 0 {
		p.add(r.checkNames())
	}
	return r, p.err()
}

// parseCACSR reads a request for an authority. Its lifetime is zero if the file
// does not say it.
func parseCACSR(data []byte) (request, error) {
	var csr cfsslCSR
	if err := decodeJSON(data, &csr); err != nil {
		return request{}, err
	}
	var p problems
	r := csr.request(&p)
	r.lifetime = 0
	if len(csr.Hosts) > 0 {
		p.addf(`"hosts" of an authority have no use; leave it empty`)
	}
	if ca := csr.CA; ca != nil {
		if ca.Expiry != "" {
			var err error
			r.lifetime, err = cfsslExpiry("ca", ca.Expiry)
			p.add(err)
		}
		if ca.PathLen != 0 {
			p.addf(`ca: pathlen %d is not supported; remove it, the authority signs no further one`, ca.PathLen)
		}
	}
	return r, p.err()
}

// request checks what a server's request and an authority's have in common.
func (csr *cfsslCSR) request(p *problems) request {
	r := request{lifetime: defaultLifetime, key: defaultKey}
	if csr.Key != nil {
		var err error
		r.key, err = cfsslKey(csr.Key.Algo, csr.Key.Size)
		p.add(err)
	}
	p.add(r.setCommonName(csr.CN))
	for _, n := range csr.Names {
		for _, f := range []struct {
			name, value string
			most        int // RFC 5280, appendix A.1
			to          *[]string
		}{
			{"C", n.C, 2, &r.subject.Country},
			{"ST", n.ST, 128, &r.subject.Province},
			{"L", n.L, 128, &r.subject.Locality},
			{"O", n.O, 64, &r.subject.Organization},
			{"OU", n.OU, 64, &r.subject.OrganizationalUnit},
		} {
			switch {
			case f.value == "":
			case len(f.value) > f.most || clean(f.value) != f.value:
				p.addf("names: %s %q is too long or not printable; use up to %d bytes", f.name, clean(f.value), f.most)
			default:
				*f.to = append(*f.to, f.value)
			}
		}
	}
	return r
}

func cfsslExpiry(of, s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < minLifetime || d > maxLifetime || d%time.Second != 0 {
		return 0, fmt.Errorf(`%s: expiry %q is not a duration in range; use whole seconds up to 30 years, such as "24h"`, of, clean(s))
	}
	return d, nil
}

// addHost tells the kinds of names apart as cfssl does.
func (r *request) addHost(host string) error {
	if _, err := netip.ParseAddr(host); err == nil {
		return r.addIP(host)
	}
	switch {
	case strings.Contains(host, "://"):
		return r.addURI(host)
	case strings.Contains(host, "@"):
		return fmt.Errorf("hosts: the email address %q is no identity in gRPC; remove it", clean(host))
	}
	return r.addDNS(host)
}

func cfsslKey(algo string, size int) (keyAlgorithm, error) {
	name := ""
	switch algo {
	case "ecdsa":
		name = fmt.Sprintf("ecdsa-p%d", size)
	case "rsa":
		name = fmt.Sprintf("rsa-%d", size)
	case "ed25519":
		name = "ed25519"
	}
	if !slices.Contains(keyAlgorithms, name) {
		return "", fmt.Errorf("key: algo %q with size %d is not supported; use ecdsa with 256, 384 or 521, rsa with 2048, 3072 or 4096, or ed25519", clean(algo), size)
	}
	return keyAlgorithm(name), nil
}

// parseConfig reads a configuration. Every profile in it must be sound.
func parseConfig(data []byte) (*cfsslConfig, error) {
	var c cfsslConfig
	if err := decodeJSON(data, &c); err != nil {
		return nil, err
	}
	if c.Signing.Default == nil && len(c.Signing.Profiles) == 0 {
		return nil, errors.New(`has no profile; add {"signing": {"profiles": {"server": {"expiry": "24h", "usages": ["server auth"]}}}}`)
	}
	var p problems
	for _, name := range slices.Sorted(maps.Keys(c.Signing.Profiles)) {
		var r request
		if err := c.apply(name, &r); err != nil {
			p.add(err)
		}
	}
	return &c, p.err()
}

// apply sets what the profile says. A profile without expiry has the default's;
// the name "default" means that one.
func (c *cfsslConfig) apply(name string, r *request) error {
	profile, ok := c.Signing.Profiles[name]
	if !ok && name == "default" && c.Signing.Default != nil {
		profile, ok = *c.Signing.Default, true
	}
	if !ok {
		known := slices.Sorted(maps.Keys(c.Signing.Profiles))
		return fmt.Errorf("has no profile %q; use --profile with one of %s", clean(name), clean(strings.Join(known, ", ")))
	}
	if c.Signing.Default != nil {
		if profile.Expiry == "" {
			profile.Expiry = c.Signing.Default.Expiry
		}
		if len(profile.Usages) == 0 {
			profile.Usages = c.Signing.Default.Usages
		}
	}
	expiry, err := cfsslExpiry(fmt.Sprintf("profile %q", clean(name)), profile.Expiry)
	if err != nil {
		return err
	}
	r.lifetime = expiry
	return r.setUsages(name, profile.Usages)
}

func (r *request) setUsages(profile string, usages []string) error {
	server, client := false, false
	for _, u := range usages {
		switch u {
		case "server auth":
			server = true
		case "client auth":
			client = true
		case "key encipherment":
			r.keyEncipherment = true
		case "signing", "digital signature": // always
		default:
			return fmt.Errorf(`profile %q: usage %q is not supported; use "server auth", "client auth", "signing", "digital signature" or "key encipherment"`, clean(profile), clean(u))
		}
	}
	switch {
	case server && client:
		r.usage = tlsx.ForBoth
	case server:
		r.usage = tlsx.ForServer
	case client:
		r.usage = tlsx.ForClient
	default:
		return fmt.Errorf(`profile %q: usages hold neither "server auth" nor "client auth"; add one`, clean(profile))
	}
	return nil
}

// kindName is what JSON calls a kind of Go value.
func kindName(k reflect.Kind) string {
	switch k {
	case reflect.Slice, reflect.Array:
		return "list"
	case reflect.Struct, reflect.Map, reflect.Pointer:
		return "object"
	case reflect.Int, reflect.Int64, reflect.Float64:
		return "number"
	default:
		return k.String()
	}
}
