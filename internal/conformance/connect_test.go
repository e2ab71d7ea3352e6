package conformance_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

var (
	total   = regexp.MustCompile(`(?m)^Total cases: (\d+)$`)
	outcome = regexp.MustCompile(`(?m)^\d+ passed, \d+ failed$`)
	known   = regexp.MustCompile(`(?m)^\(Another \d+ failed as expected`)
)

// connectconformance has no failure with the server that a bare grpc-go server
// does not have in the same run: plaintext, TLS, and TLS with client
// certificates.
func TestConnectConformance(t *testing.T) {
	dir := programs(t)
	for name, flags := range map[string][]string{"grpcx": nil, "bare": {"-bare"}} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(filepath.Join(dir, "connectconformance"), append([]string{
				"--mode", "server", "--conf", "grpc.yaml", "--known-failing", "@known-failing.txt", "-v",
				"--", filepath.Join(dir, "connect"),
			}, flags...)...)
			cmd.Dir = "testdata/suites/connect"
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			count := total.FindSubmatch(out)
			assert.True(t, count != nil, "the suite says how many cases it ran")
			assert.Equal(t, string(count[1]), "570", "cases")
			t.Logf("%s: %s; %s)", count[0], outcome.Find(out), known.Find(out))
		})
	}
}
