package conformance_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/grpcx-go/sdk/internal/assert"
)

// observed is what a client in another language prints: messages in hex, as the
// scripts have no protobuf.
type observed struct {
	Version      string
	Unary        string
	ClientStream string
	ServerStream []string
	Bidi         []string
	Initial      string // header, echoed
	Trailing     string // trailer, echoed
	Code         codes.Code
	Message      string
	Unknown      codes.Code // of a method that does not exist
}

// grpc-js and C-core, in Python, make calls of all four kinds.
func TestForeignClients(t *testing.T) {
	heavy(t)
	t.Run("C-core", func(t *testing.T) {
		python := "/usr/bin/python3" // the one that python3-grpcio is for
		if out, err := exec.Command(python, "-c", "import grpc").CombinedOutput(); err != nil {
			t.Skipf("no grpcio: %s; on Debian: apt-get install python3-grpcio", bytes.TrimSpace(out))
		}
		callForeign(t, func(args ...string) *exec.Cmd {
			return exec.Command(python, append([]string{"testdata/client.py"}, args...)...)
		})
	})
	t.Run("grpc-js", func(t *testing.T) {
		dir := t.TempDir()
		install := exec.Command("npm", "install", "--no-audit", "--no-fund", "--prefix", dir, "@grpc/grpc-js@1.14")
		if out, err := install.CombinedOutput(); err != nil {
			t.Skipf("no grpc-js: npm install: %v\n%s", err, out)
		}
		callForeign(t, func(args ...string) *exec.Cmd {
			cmd := exec.Command("node", append([]string{"testdata/client.js"}, args...)...)
			cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
			return cmd
		})
	})
}

func callForeign(t *testing.T, command func(...string) *exec.Cmd) {
	srv := newWoven(t)
	files := srv.certs.ClientFiles()
	cmd := command(srv.addr, srv.certs.CAFile(), files.Cert, files.Key)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, stderr.Bytes())
	}
	var got observed
	assert.NoError(t, json.Unmarshal(out, &got))
	assert.Equal(t, got, observed{
		Version:      got.Version,
		Unary:        "0a051203000000",                         // a payload of 3 bytes
		ClientStream: "0806",                                   // 6 bytes in all
		ServerStream: []string{"0a03120100", "0a0412020000"},   // payloads of 1 and 2 bytes
		Bidi:         []string{"0a03120100", "0a051203000000"}, // of 1 and 3, each after its request
		Initial:      "initial",
		Trailing:     "0a0b00ff",
		Code:         codes.FailedPrecondition,
		Message:      "\t\u263a and \u00e4%\n",
		Unknown:      codes.Unimplemented,
	})
	assert.NoError(t, srv.Stop())
	calls, spans := srv.measured(t), len(srv.spans.Ended())
	assert.Equal(t, calls, 6, "calls measured")
	assert.Equal(t, spans, 6, "calls traced")
	t.Logf("%s: %d calls", got.Version, calls)
}
