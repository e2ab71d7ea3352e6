package grpcx_test

import (
	"encoding/json"
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

var errAddrInUse error = syscall.EADDRINUSE

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	assert.NoError(t, err)
	return string(data)
}

func setenv(t *testing.T, env map[string]string) {
	t.Helper()
	for _, k := range slices.Sorted(maps.Keys(env)) {
		t.Setenv(k, env[k])
	}
}

func TestFromEnv(t *testing.T) {
	setenv(t, map[string]string{
		"APP_GRPC_ADDR":                          "127.0.0.1:7",
		"APP_GRPC_PROBE_ADDR":                    ":8086",
		"APP_GRPC_PROBE_TLS":                     "false",
		"APP_GRPC_ADMIN_ADDR":                    ":6060",
		"APP_GRPC_MAX_RECV_BYTES":                "1048576",
		"APP_GRPC_CONNECTION_TIMEOUT":            "3s",
		"APP_GRPC_KEEPALIVE_MAX_CONNECTION_AGE":  "-1s",
		"APP_GRPC_KEEPALIVE_DENY_WITHOUT_STREAM": "true",
		"APP_GRPC_DRAIN_DELAY":                   "250ms",
		"APP_GRPC_MAX_SEND_BYTES":                "",
	})
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithAddr(":1"), grpcx.FromEnv("APP"))
	assert.NoError(t, err)
	s := srv.Settings()
	assert.Equal(t, s.Addrs, []string{"127.0.0.1:7"})
	assert.Equal(t, s.ProbeAddr, ":8086")
	assert.True(t, !s.ProbeTLS)
	assert.Equal(t, s.AdminAddr, "127.0.0.1:6060")
	assert.Equal(t, s.Limits.MaxRecvBytes, 1<<20)
	assert.Equal(t, s.Limits.MaxSendBytes, 4<<20)
	assert.Equal(t, s.Limits.ConnectionTimeout, 3*time.Second)
	assert.Equal(t, s.Keepalive.MaxConnectionAge, -time.Second)
	assert.True(t, s.Keepalive.DenyWithoutStream)
	assert.Equal(t, s.Drain.Delay, 250*time.Millisecond)
}

// What Kubernetes injects for Services named app and app-grpc is not ours.
func TestFromEnvIgnoresKubernetes(t *testing.T) {
	setenv(t, map[string]string{
		"APP_PORT":                      "tcp://10.0.0.1:50051",
		"APP_SERVICE_HOST":              "10.0.0.1",
		"APP_SERVICE_PORT":              "50051",
		"APP_SERVICE_PORT_GRPC":         "50051",
		"APP_PORT_50051_TCP":            "tcp://10.0.0.1:50051",
		"APP_GRPC_PORT":                 "tcp://10.0.0.2:50051",
		"APP_GRPC_SERVICE_HOST":         "10.0.0.2",
		"APP_GRPC_SERVICE_PORT":         "50051",
		"APP_GRPC_SERVICE_PORT_GRPC":    "50051",
		"APP_GRPC_PORT_50051_TCP":       "tcp://10.0.0.2:50051",
		"APP_GRPC_PORT_50051_TCP_ADDR":  "10.0.0.2",
		"APP_GRPC_PORT_50051_TCP_PORT":  "50051",
		"APP_GRPC_PORT_50051_TCP_PROTO": "tcp",
		"OTHER_GRPC_ADDR":               ":9",
	})
	bare, err := grpcx.New(grpcx.WithInsecure())
	assert.NoError(t, err)
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.FromEnv("APP"))
	assert.NoError(t, err)
	a, b := bare.Settings(), srv.Settings()
	a.Options, b.Options = nil, nil
	assert.Equal(t, b, a)
	assert.Equal(t, srv.Warnings(), nil)
}

func TestFromEnvMistakes(t *testing.T) {
	for _, test := range []struct{ key, value, text string }{
		{"APP_GRPC_ADR", ":1", "did you mean APP_GRPC_ADDR?"},
		{"APP_GRPC_MAX_RECV_BYTE", "1", "did you mean APP_GRPC_MAX_RECV_BYTES?"},
		{"APP_GRPC_ADDR", "nowhere", "write host:port"},
		{"APP_GRPC_MAX_RECV_BYTES", "4MiB", "in digits"},
		{"APP_GRPC_MAX_RECV_BYTES", "-1", "cannot lift a limit"},
		{"APP_GRPC_FIRST_MESSAGE_TIMEOUT", "-1s", "cannot lift a limit"},
		{"APP_GRPC_PROBE_TLS", "on", "true or false"},
		{"APP_GRPC_ADMIN_ADDR", "6060", "write host:port"},
		{"APP_GRPC_ADMIN_ADDR", "0.0.0.0:6060", "open to the network"},
		{"APP_GRPC_ADMIN_ADDR", "[::]:6060", "open to the network"},
		{"APP_GRPC_ADMIN_ADDR", "admin.example:6060", "open to the network"},
		{"APP_GRPC_DRAIN_DELAY", "5", "with a unit"},
		{"APP_GRPC_DRAIN_DELAY", "0s", "negative value for none"},
		{"APP_GRPC_DRAIN_TIMEOUT", "0s", "set a positive value"},
		{"APP_GRPC_KEEPALIVE_DENY_WITHOUT_STREAM", "maybe", "true or false"},
	} {
		t.Run(test.key+"="+test.value, func(t *testing.T) {
			t.Setenv(test.key, test.value)
			_, err := grpcx.New(grpcx.WithInsecure(), grpcx.FromEnv("APP"))
			assert.Equal(t, optionErrors(err), []string{"FromEnv." + test.key})
			assert.ErrorContains(t, err, test.text)
		})
	}
	t.Run("negative drain timeout", func(t *testing.T) {
		t.Setenv("APP_GRPC_DRAIN_TIMEOUT", "-1s")
		_, err := grpcx.New(grpcx.WithInsecure(), grpcx.FromEnv("APP"))
		assert.Equal(t, optionErrors(err), []string{"WithDrain.Timeout"})
	})
}

// The environment can put TLS on the probe listener and not take it away, and
// it can move the admin listener on this machine only.
func TestFromEnvProbes(t *testing.T) {
	code := grpcx.Options(grpcx.WithTLS(mustDevcert(t).ServerSource()), grpcx.WithProbeAddr(":0"))
	t.Setenv("APP_GRPC_PROBE_TLS", "true")
	srv, err := grpcx.New(code, grpcx.FromEnv("APP"))
	assert.NoError(t, err)
	assert.True(t, srv.Settings().ProbeTLS)

	t.Setenv("APP_GRPC_PROBE_TLS", "false")
	_, err = grpcx.New(code, grpcx.WithProbeTLS(), grpcx.FromEnv("APP"))
	assert.Equal(t, optionErrors(err), []string{"FromEnv.APP_GRPC_PROBE_TLS"})
	assert.ErrorContains(t, err, "cannot weaken")

	t.Setenv("APP_GRPC_PROBE_TLS", "")
	for _, addr := range []string{"127.0.0.1:1", "[::1]:1", "localhost:1", "unix:/run/admin.sock"} {
		t.Setenv("APP_GRPC_ADMIN_ADDR", addr)
		srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithAdminAddr("0.0.0.0:1"), grpcx.FromEnv("APP"))
		assert.NoError(t, err)
		assert.Equal(t, srv.Settings().AdminAddr, addr)
	}
}

func TestFromEnvWarnsOfUnknownKeys(t *testing.T) {
	t.Setenv("APP_GRPC_COLOUR_SCHEME", "dark")
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.FromEnv("APP"))
	assert.NoError(t, err)
	assert.Equal(t, len(srv.Warnings()), 1)
	assert.Contains(t, srv.Warnings()[0], "APP_GRPC_COLOUR_SCHEME")
}

// The environment can bring TLS, not take it away.
func TestFromEnvTLS(t *testing.T) {
	certs, err := devcert.Dir(t.TempDir())
	assert.NoError(t, err)
	files := certs.ServerFiles()
	setenv(t, map[string]string{
		"APP_GRPC_TLS_CERT": files.Cert, "APP_GRPC_TLS_KEY": files.Key, "APP_GRPC_TLS_CLIENT_CA": files.ClientCA,
	})
	for name, code := range map[string]grpcx.Option{
		"plaintext in code": grpcx.WithInsecure(),
		"nothing in code":   grpcx.Options(),
		"no client certificate in code": grpcx.WithTLSFiles(tlsx.Files{
			Cert: files.Cert, Key: files.Key, ClientAuth: tlsx.NoClientCert}),
		"other files in code": grpcx.WithTLSFiles(tlsx.Files{Cert: "a", Key: "b", ClientCA: "c"}),
	} {
		t.Run(name, func(t *testing.T) {
			srv, err := grpcx.New(code, grpcx.FromEnv("APP"))
			assert.NoError(t, err)
			assert.Equal(t, srv.Settings().TLS.Mode, "mutual tls")
			assert.Equal(t, srv.Settings().TLS.Cert, files.Cert)
		})
	}
	t.Run("source in code", func(t *testing.T) {
		_, err := grpcx.New(grpcx.WithTLS(certs.ServerSource()), grpcx.FromEnv("APP"))
		assert.Equal(t, optionErrors(err), []string{"FromEnv.TLS"})
	})
	t.Run("file missing", func(t *testing.T) {
		t.Setenv("APP_GRPC_TLS_KEY", "/nonexistent")
		_, err := grpcx.New(grpcx.FromEnv("APP"))
		assert.Equal(t, optionErrors(err), []string{"WithTLSFiles./nonexistent"})
	})
}
