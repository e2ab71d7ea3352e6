package certscmd_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/certscmd"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
)

var commands = []string{"", "init-ca", "issue", "renew", "revoke", "crl", "inspect"}

// Every example in the help runs: those of certs by themselves, those of its
// commands in this order and in one directory.
func TestExamples(t *testing.T) {
	root := certscmd.New(cli.Streams{})
	t.Chdir(t.TempDir())
	for line := range strings.Lines(root.Example) {
		mustRun(t, fields(strings.TrimSpace(line))[2:]...)
	}
	t.Chdir(t.TempDir())
	write(t, "fleet.yaml", fleetYAML)
	write(t, "csr.json", csrJSON)
	write(t, "ca-csr.json", caCSRJSON)
	write(t, "config.json", configJSON)
	address := ""
	ran := 0
	for _, cmd := range commands[1:] {
		sub, _, err := root.Find([]string{cmd})
		assert.NoError(t, err)
		if cmd == "revoke" {
			address = serve(t, tlsx.ServerConfig(tlsx.Static(load(t, "api", tlsx.ForServer))))
		}
		for line := range strings.Lines(sub.Example) {
			args := fields(strings.TrimSpace(line))
			assert.Equal(t, args[:3], []string{"grpcx", "certs", cmd})
			for i, arg := range args {
				if arg == "localhost:50051" {
					args[i] = address
				}
			}
			if address != "" && args[len(args)-1] == address {
				args = append(args, "--server-name", "api.example.com")
			}
			limit := time.Minute
			if strings.Contains(line, "--loop") {
				limit = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			r := runContext(ctx, t, args[2:]...)
			cancel()
			assert.Equal(t, r.code, 0, strings.TrimSpace(line), r.err)
			ran++
		}
	}
	assert.Equal(t, ran, 17)
}

// fields splits a line as a shell does that knows double quotes only.
func fields(line string) []string {
	var out []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			out = append(out, part)
		} else {
			out = append(out, strings.Fields(part)...)
		}
	}
	return out
}
