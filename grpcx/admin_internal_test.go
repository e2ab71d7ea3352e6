package grpcx

import (
	"regexp"
	"testing"
)

// No name but localhost and the one given is ever served, however it is written.
func FuzzAdminHost(f *testing.F) {
	for _, host := range []string{
		"", "localhost", "LocalHost.:80", "admin.internal:6060", "127.0.0.1:1", "[::1]:1", "[fe80::1%eth0]", "::1",
		"evil.example", "evil.example:80", "localhost:1@evil.example", "127.0.0.1.evil.example", "[::1].evil.example", "0x7f.1", ":", "[]",
	} {
		f.Add(host)
	}
	p := &adminPages{host: "admin.internal"}
	served := regexp.MustCompile(`(?is)^(|(localhost|admin\.internal)\.?|[0-9.]+|\[?[0-9a-f:.]+(%.*)?\]?)(:[0-9]*)?$`)
	f.Fuzz(func(t *testing.T, host string) {
		if p.serves(host) && !served.MatchString(host) {
			t.Errorf("%q is served", host)
		}
	})
}
