package healthcmd_test

import (
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

func TestUsage(t *testing.T) {
	for _, test := range []struct{ args, parts []string }{
		{nil, []string{"no address", "HOST:PORT"}},
		{[]string{"a:1", "b:2"}, []string{"2 addresses", "one server at a time"}},
		{[]string{"a:1", "--addr", "b:2"}, []string{"leave --addr out"}},
		{[]string{"a"}, []string{"add the port"}},
		{[]string{"a:1", "--timeout", "0s"}, []string{"--timeout 0s", "above zero"}},
		{[]string{"a:1", "--timeout", "soon"}, []string{"soon", "--timeout", "grpcx health --help"}},
		{[]string{"a:1", "--rpc-timeout", "-1s"}, []string{"--rpc-timeout"}},
		{[]string{"a:1", "--timeout", "1s", "--rpc-timeout", "1s"}, []string{"bounds the whole"}},
		{[]string{"a:1", "--cert", "a"}, []string{"without --key"}},
		{[]string{"a:1", "--key", "a"}, []string{"without --cert"}},
		{[]string{"a:1", "--tls", "--ca", ""}, []string{"--ca is empty"}},
		{[]string{"a:1", "--server-name="}, []string{"--server-name is empty"}},
		{[]string{"a:1", "--tls-no-verify", "--ca", "a"}, []string{"leave out one"}},
		{[]string{"a:1", "--tls-no-verify", "--server-name", "a"}, []string{"leave out one"}},
		{[]string{"a:1", "--service", "a\xff"}, []string{"not UTF-8"}},
		{[]string{"a:1", "--rpc-header", "secret"}, []string{"--rpc-header number 1", "NAME: VALUE"}},
		{[]string{"a:1", "--rpc-header", "grpc-x: secret"}, []string{`"grpc-x"`, "no name"}},
		{[]string{"a:1", "--rpc-header", "a b: secret"}, []string{`"a b"`, "no name"}},
		{[]string{"a:1", "--rpc-header", ": secret"}, []string{`""`, "no name"}},
		{[]string{"a:1", "--rpc-header", "a: se\ncret"}, []string{`"a"`, "printable ASCII"}},
		{[]string{"a:1", "-o", "xml"}, []string{"must be tty or json"}},
		{[]string{"a:1", "--spiffe"}, []string{"--spiffe", "grpcx health --help"}},
	} {
		got := run(t, test.args...)
		got.wantError(t, 2, test.parts...)
		assert.NotContains(t, got.errout, "secret")
	}
}
