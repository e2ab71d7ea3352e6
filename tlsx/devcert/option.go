package devcert

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	defaultLifetime = 24 * time.Hour
	maxLifetime     = 7 * 24 * time.Hour
)

// An Option changes what [New] and [Dir] make.
type Option interface {
	apply(*config) error
}

type option func(*config) error

func (o option) apply(c *config) error { return o(c) }

// Lifetime sets how long the certificates are valid. The default is 24 hours,
// the most 7 days. The last one wins.
func Lifetime(d time.Duration) Option {
	return option(func(c *config) error {
		if d < time.Second || d > maxLifetime {
			return fmt.Errorf("devcert: Lifetime(%v) is out of range; use one second to %v, and an authority of your own for longer", d, maxLifetime)
		}
		c.lifetime = d
		return nil
	})
}

// Hosts adds names and addresses to the server's certificate, beside localhost,
// 127.0.0.1 and ::1. Only what stays on the machine is allowed: names below
// localhost, such as "api.localhost" (RFC 6761, section 6.3), and loopback
// addresses.
func Hosts(hosts ...string) Option {
	hosts = slices.Clone(hosts)
	return option(func(c *config) error {
		var errs []error
		for _, h := range hosts {
			errs = append(errs, c.addHost(h))
		}
		return errors.Join(errs...)
	})
}

type config struct {
	lifetime time.Duration
	names    []string
	ips      []net.IP
}

func newConfig(opts []Option) (*config, error) {
	c := &config{
		lifetime: defaultLifetime,
		names:    []string{"localhost"},
		ips:      []net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback},
	}
	var errs []error
	for i, o := range opts {
		if o == nil {
			errs = append(errs, fmt.Errorf("devcert: option %d is nil; leave it out", i))
			continue
		}
		errs = append(errs, o.apply(c))
	}
	return c, errors.Join(errs...)
}

func (c *config) addHost(host string) error {
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.Unmap()
		if !addr.IsLoopback() || addr.Zone() != "" {
			return fmt.Errorf("devcert: Hosts: %q is not a loopback address; a development certificate is for one machine, use an authority of your own for others", host)
		}
		ip := net.IP(addr.AsSlice())
		if !slices.ContainsFunc(c.ips, ip.Equal) {
			c.ips = append(c.ips, ip)
		}
		return nil
	}
	name := strings.ToLower(host)
	if !loopbackName(name) {
		return fmt.Errorf("devcert: Hosts: %q is not localhost, a name below it such as %q, or a loopback address; a development certificate is for one machine, use an authority of your own for others", host, "api.localhost")
	}
	if !slices.Contains(c.names, name) {
		c.names = append(c.names, name)
	}
	return nil
}

// loopbackName accepts localhost and host names below it.
func loopbackName(name string) bool {
	if len(name) > 253 {
		return false
	}
	labels := strings.Split(name, ".")
	if labels[len(labels)-1] != "localhost" {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }) {
			return false
		}
	}
	return true
}
