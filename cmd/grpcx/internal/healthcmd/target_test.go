package healthcmd_test

import (
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/healthcmd"
	"github.com/grpcx-go/sdk/internal/assert"
)

func TestTargets(t *testing.T) {
	for _, test := range []struct{ text, network, address, host, authority string }{
		{"localhost:50051", "tcp", "localhost:50051", "localhost", "localhost:50051"},
		{"10.0.0.1:1", "tcp", "10.0.0.1:1", "10.0.0.1", "10.0.0.1:1"},
		{"[::1]:65535", "tcp", "[::1]:65535", "::1", "[::1]:65535"},
		{"[fe80::1%eth0]:443", "tcp", "[fe80::1%eth0]:443", "fe80::1", "[fe80::1]:443"},
		{":50051", "tcp", "localhost:50051", "localhost", "localhost:50051"},
		{"dns:///greeter.acme.svc:443", "tcp", "greeter.acme.svc:443", "greeter.acme.svc", "greeter.acme.svc:443"},
		{"unix:/run/greeter.sock", "unix", "/run/greeter.sock", "localhost", "localhost"},
		{"unix:///run/greeter.sock", "unix", "/run/greeter.sock", "localhost", "localhost"},
		{"unix:greeter.sock", "unix", "greeter.sock", "localhost", "localhost"},
		{"unix-abstract:greeter", "unix", "@greeter", "localhost", "localhost"},
	} {
		network, address, host, authority, err := healthcmd.ParseTarget(test.text)
		assert.NoError(t, err, test.text)
		assert.Equal(t, network, test.network, test.text)
		assert.Equal(t, address, test.address, test.text)
		assert.Equal(t, host, test.host, test.text)
		assert.Equal(t, authority, test.authority, test.text)
	}
}

func TestTargetsRefused(t *testing.T) {
	for text, remedy := range map[string]string{
		"":                        "add the port",
		"localhost":               "add the port",
		"::1":                     "[ADDR]:PORT",
		"::1:50051":               "[ADDR]:PORT",
		"[::1]":                   "[ADDR]:PORT",
		"localhost:http":          "from 1 to 65535",
		"localhost:0":             "from 1 to 65535",
		"localhost:65536":         "from 1 to 65535",
		"localhost:-1":            "from 1 to 65535",
		"localhost:":              "from 1 to 65535",
		"https://localhost:50051": "has a scheme",
		"http://localhost":        "has a scheme",
		"me@localhost:1":          "write HOST:PORT",
		"local%host:1":            "neither a name",
		"local host:1":            "white space",
		"localhost:1\n":           "white space",
		"a\x1b[2J:1":              "control characters",
		"unix:":                   "unix:PATH",
		"unix://run/a.sock":       "unix:///PATH",
		"unix-abstract:":          "names no socket",
		"dns:///":                 "add the port",
	} {
		_, _, _, _, err := healthcmd.ParseTarget(text)
		assert.ErrorContains(t, err, remedy)
		coded, ok := errors.AsType[*cli.Error](err)
		assert.True(t, ok && coded.Code == cli.Usage, text)
	}
}

func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"localhost:50051", "[::1]:1", "[fe80::1%eth0]:1", "unix:/a", "unix-abstract:a", "dns:///a:1", "a:b:1", "http://a:1", "%:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		network, address, host, authority, err := healthcmd.ParseTarget(text)
		if err != nil {
			if text := err.Error(); strings.ContainsAny(text, "\n\x1b") || !strings.Contains(text, "; ") {
				t.Errorf("%q is not a line with a remedy", text)
			}
			return
		}
		if host == "" || authority == "" {
			t.Errorf("%q has host %q and authority %q", text, host, authority)
		}
		if network == "tcp" {
			if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
				t.Errorf("%q cannot be dialled at %q: %v", text, address, err)
			}
		} else if network != "unix" || address == "" {
			t.Errorf("%q is %q at %q", text, network, address)
		}
	})
}
