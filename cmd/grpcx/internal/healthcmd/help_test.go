package healthcmd_test

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/healthcmd"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
)

// Every example of the help works, with the addresses and files of this test in
// the place of those written there.
func TestExamples(t *testing.T) {
	site := newSite(t)
	cert, key := site.ca.Issue(t, certtest.Client).Write(t, site.dir, "tls")
	plain := serve(t, listen(t), nil)
	plain.health.SetServingStatus("acme.greet.v1.Greeter", 1)
	secure := serve(t, listen(t), site.config(t, certtest.Server))
	mutual := serve(t, listen(t), site.mutual(t, 0))
	here := strings.NewReplacer("127.0.0.1:50051", plain.addr, "127.0.0.1:50052", secure.addr, "127.0.0.1:50053", mutual.addr,
		"/tls/ca.crt", site.caFile, "/tls/tls.crt", cert, "/tls/tls.key", key)
	ran := 0
	for line := range strings.Lines(healthcmd.New(cli.Streams{}).Example) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "grpcx health ")
		if !ok {
			continue
		}
		ran++
		args := strings.Fields(here.Replace(command))
		if strings.Contains(command, "--watch") {
			w := startWatch(t, args...)
			w.next("SERVING")
			w.end(0)
			continue
		}
		got := runContext(context.WithoutCancel(t.Context()), args...)
		assert.Equal(t, got.code, 0, command, got.errout)
		assert.Contains(t, got.out, "SERVING")
	}
	assert.Equal(t, ran, 5)
}

// The probes shown for containers are commands that work.
func TestProbesOfContainers(t *testing.T) {
	s := serve(t, listen(t), nil)
	lines := regexp.MustCompile(`\["/grpcx", .*"\]`).FindAllString(healthcmd.New(cli.Streams{}).Long, -1)
	assert.Equal(t, len(lines), 2)
	for _, line := range lines {
		var command []string
		assert.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(line, "127.0.0.1:50051", s.addr)), &command))
		assert.Equal(t, command[1], "health")
		got := run(t, command[2:]...)
		assert.Equal(t, got.code, 0, line, got.errout)
	}
}
