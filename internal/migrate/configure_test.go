package migrate_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
)

// The rows of the table in docs/migrating.md.
const (
	rowStatus      = "a handler returns a status"
	rowError       = "a handler returns another error"
	rowPanic       = "a handler panics"
	rowStreamPanic = "a handler of a stream panics"
	rowDeadline    = "deadline where the client has none"
	rowHealth      = "health of `\"\"`, of the service, of `liveness`"
	rowWatch       = "health can be watched"
	rowReflection  = "reflection, channelz on the serving port"
	rowAccepts     = "after SIGTERM it accepts connections for"
	rowEnds        = "and ends, while a client watches health, after"
)

const (
	ourError = "`Unknown`: unknown error, id …"
	ourPanic = "`Internal`: internal error, id …"
)

var woven = map[string]string{rowError: ourError, rowPanic: ourPanic, rowStreamPanic: ourPanic}

var programs = []program{
	{dir: "grpcgo/before", column: "by hand", mutual: true, configure: byHand},
	{dir: "grpcgo/pieces", column: "grpcx", mutual: true, configure: byHand},
	{dir: "grpcgo/after", column: "grpcx", mutual: true, configure: fromEnvTLS},
	{dir: "kratos/after", column: "grpcx", configure: fromEnv,
		differs: map[string]string{rowDeadline: "1s", rowReflection: "yes, no"}},
	{dir: "gozero/after", column: "grpcx", configure: fromEnvAdmin, also: isReady,
		differs: map[string]string{rowDeadline: "2s"}},
	{dir: "dskit/after", column: "grpcx", mutual: true, configure: withMetrics, also: isScraped},

	{dir: frameworks + "kratos/before", column: "kratos", configure: onAddr},
	{dir: frameworks + "kratos/instrument", column: "kratos", configure: onAddr, differs: woven},
	{dir: frameworks + "kratos/hosted", column: "grpcx", configure: onAddr},
	{dir: frameworks + "gozero/before", column: "go-zero", configure: fromYAML("before.yaml")},
	{dir: frameworks + "gozero/instrument", column: "go-zero", configure: fromYAML("instrument.yaml"), differs: woven},
	{dir: frameworks + "dskit/before", column: "dskit", mutual: true, configure: byFlags},
	{dir: frameworks + "dskit/instrument", column: "dskit", mutual: true, configure: byFlags, differs: woven},
}

func byHand(_ *testing.T, addr string, files tlsx.Files) (args, env []string) {
	return []string{"-addr", addr, "-cert", files.Cert, "-key", files.Key, "-client-ca", files.ClientCA}, nil
}

func onAddr(_ *testing.T, addr string, _ tlsx.Files) (args, env []string) {
	return []string{"-addr", addr}, nil
}

func fromEnv(_ *testing.T, addr string, _ tlsx.Files) (args, env []string) {
	return nil, []string{"APP_GRPC_ADDR=" + addr, "APP_GRPC_PROBE_ADDR=127.0.0.1:0"}
}

func fromEnvAdmin(t *testing.T, addr string, files tlsx.Files) (args, env []string) {
	args, env = fromEnv(t, addr, files)
	return args, append(env, adminAddr+freeAddr(t))
}

const adminAddr = "APP_GRPC_ADMIN_ADDR="

func fromEnvTLS(t *testing.T, addr string, files tlsx.Files) (args, env []string) {
	args, env = fromEnv(t, addr, files)
	return args, append(env, "APP_GRPC_TLS_CERT="+files.Cert, "APP_GRPC_TLS_KEY="+files.Key, "APP_GRPC_TLS_CLIENT_CA="+files.ClientCA)
}

func withMetrics(t *testing.T, addr string, files tlsx.Files) (args, env []string) {
	_, env = fromEnvTLS(t, addr, files)
	return []string{"-metrics-addr", freeAddr(t)}, env
}

// fromYAML puts free ports into a configuration of go-zero.
func fromYAML(name string) func(*testing.T, string, tlsx.Files) (args, env []string) {
	return func(t *testing.T, addr string, _ tlsx.Files) (args, env []string) {
		_, port, err := net.SplitHostPort(freeAddr(t))
		assert.NoError(t, err)
		text := readText(t, frameworks+"gozero/etc/"+name)
		text = strings.NewReplacer("0.0.0.0:8080", addr, "Port: 6060", "Port: "+port).Replace(text)
		file := filepath.Join(t.TempDir(), "greeter.yaml")
		assert.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return []string{"-f", file}, nil
	}
}

func byFlags(t *testing.T, addr string, files tlsx.Files) (args, env []string) {
	host, port, err := net.SplitHostPort(addr)
	assert.NoError(t, err)
	return []string{
		"-server.grpc-listen-address", host, "-server.grpc-listen-port", port,
		"-server.http-listen-address", host, "-server.http-listen-port", "0",
		"-server.grpc-tls-cert-path", files.Cert, "-server.grpc-tls-key-path", files.Key,
		"-server.grpc-tls-ca-path", files.ClientCA, "-server.grpc-tls-client-auth", "RequireAndVerifyClientCert",
	}, nil
}

// isReady asks the admin listener.
func isReady(t *testing.T, p *process) {
	for _, arg := range p.args {
		if addr, ok := strings.CutPrefix(arg, adminAddr); ok {
			assert.Equal(t, get(t, "http://"+addr+"/readyz"), "ok")
		}
	}
}

// isScraped asks for the metrics as Prometheus does.
func isScraped(t *testing.T, p *process) {
	assert.Contains(t, get(t, "http://"+p.args[1]+"/metrics"), "rpc_server_call_duration_seconds_bucket{",
		`rpc_method="greet.v1.Greeter/Greet"`, `rpc_response_status_code="OK"`, "grpcx_connections_open")
}

func get(t *testing.T, url string) string {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(patience(t), http.MethodGet, url, nil)
	assert.NoError(t, err)
	resp, err := transport.RoundTrip(req)
	assert.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	assert.NoError(t, err)
	assert.Equal(t, resp.StatusCode, http.StatusOK, url)
	return strings.TrimSpace(string(body))
}
