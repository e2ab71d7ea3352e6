package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/grpcx-go/sdk/internal/assert"
)

// A stage is what an example needs, and how it ends.
type stage struct {
	lines  []string // run before it
	files  map[string]string
	serve  func(t *testing.T, dir string) []string // starts servers; pairs of what the example says and what is here
	short  string                                  // flags that shorten it
	until  string                                  // it is interrupted when a line holds this
	codes  []int                                   // instead of 0
	stdout string                                  // a part of what it says
}

const (
	initCA   = "grpcx certs init-ca --ca ca"
	issueAPI = "grpcx certs issue --ca ca --out api --dns api.example.com --dns localhost --ip 127.0.0.1 --profile both"
	issueWeb = "grpcx certs issue --ca ca --out web --profile client --spiffe spiffe://example.org/web"
	forTLS   = "grpcx certs init-ca --ca ca && grpcx certs issue --ca ca --out tls --dns localhost --ip 127.0.0.1 --profile both"
	forFiles = "grpcx certs init-ca --ca ca && grpcx certs issue --ca ca --out . --dns localhost --ip 127.0.0.1 && grpcx certs crl --ca ca --out ca.crl"
	quick    = " --duration 10ms --runs 1"
	little   = quick + " --only unary-1k"
)

// stages has every example in the help of every command.
var stages = map[string]stage{
	"grpcx health 127.0.0.1:50051":                                                         {serve: plaintext, stdout: "SERVING"},
	"grpcx health 127.0.0.1:50051 --service acme.greet.v1.Greeter -o json":                 {serve: plaintext, stdout: `"SERVING"`},
	"grpcx health 127.0.0.1:50051 --watch":                                                 {serve: plaintext, until: "SERVING"},
	"grpcx health 127.0.0.1:50052 --ca /tls/ca.crt --server-name localhost --timeout 3s":   {lines: []string{forTLS}, serve: oneWay, stdout: "SERVING"},
	"grpcx health 127.0.0.1:50053 --ca /tls/ca.crt --cert /tls/tls.crt --key /tls/tls.key": {lines: []string{forTLS}, serve: mutual, stdout: "SERVING"},

	"grpcx certs init-ca --ca ca":                                {},
	"grpcx certs init-ca --ca legacy-ca --cfssl-csr ca-csr.json": {files: cfssl},
	`grpcx certs init-ca --ca mesh-ca --cn "Mesh CA" --lifetime 365d --permit-dns example.com --permit-uri example.org`: {},
	"grpcx certs issue --ca ca --out api --dns api.example.com":                                                         {lines: []string{initCA}},
	"grpcx certs issue --ca ca --out api --dns api.example.com --ip 10.0.0.1":                                           {lines: []string{initCA}},
	"grpcx certs issue --ca ca --out web --profile client --spiffe spiffe://example.org/web --lifetime 1h":              {lines: []string{initCA}},
	"grpcx certs issue --ca ca --out fleet --batch fleet.yaml":                                                          {lines: []string{initCA}, files: fleet},
	"grpcx certs issue --ca ca --out legacy --cfssl-csr csr.json --cfssl-config config.json --profile server":           {lines: []string{initCA}, files: cfssl},
	"grpcx certs renew --ca ca api":                               {lines: []string{initCA, issueAPI}},
	"grpcx certs renew --ca ca --force --lifetime 1h api web":     {lines: []string{initCA, issueAPI, issueWeb}},
	"grpcx certs renew --ca ca --loop --at 0.5 --jitter 0.1 api":  {lines: []string{initCA, issueAPI + " --lifetime 5s"}, until: "api"},
	"grpcx certs revoke --ca ca --reason keyCompromise api":       {lines: []string{initCA, issueAPI}},
	"grpcx certs revoke --ca ca web/tls.crt":                      {lines: []string{initCA, issueWeb}},
	"grpcx certs crl --ca ca --out ca.crl":                        {lines: []string{initCA}},
	"grpcx certs crl --ca ca --out ca.crl --lifetime 24h -o json": {lines: []string{initCA}},
	"grpcx certs inspect api":                                     {lines: []string{initCA, issueAPI}},
	"grpcx certs inspect localhost:50051":                         {lines: []string{initCA, issueAPI}, serve: api},
	"grpcx certs inspect --ca api/ca.crt localhost:50051":         {lines: []string{initCA, issueAPI}, serve: api},
	"grpcx certs inspect --key api/tls.key --ca api/ca.crt --usage server --host api.example.com -o json api/tls.crt": {lines: []string{initCA, issueAPI}},

	// What doctor finds depends on the machine.
	"grpcx doctor": {codes: []int{0, 1}},
	"grpcx doctor --cert tls.crt --key tls.key --client-ca ca.crt --addr 127.0.0.1:50051":                                    {lines: []string{forFiles}, serve: free, codes: []int{0, 1}},
	"grpcx doctor --cert tls.crt --key tls.key --client-ca ca.crt --crl ca.crl --addr 127.0.0.1:50051 --addr 127.0.0.1:8086": {lines: []string{forFiles}, serve: free, codes: []int{0, 1}},
	"grpcx doctor --strict -o json": {codes: []int{0, 1}, stdout: "{"},

	"grpcx bench": {short: quick},
	"grpcx bench --duration 200ms --runs 3 --only 'handshake-*,idle-tls'": {short: quick},
	"grpcx bench -o json > before.json":                                   {short: little},
	"grpcx bench --compare before.json":                                   {lines: []string{"grpcx bench -o json" + little + " > before.json"}, short: little},

	"grpcx version":          {stdout: "grpcx "},
	"grpcx version -o json":  {stdout: `"version"`},
	"grpcx help certs issue": {stdout: "grpcx certs issue [flags]"},
}

var fleet = map[string]string{"fleet.yaml": `certificates:
- {name: api, dns: [api.example.com]}
- {name: web, profile: client, spiffe: "spiffe://example.org/web"}
`}

var cfssl = map[string]string{
	"ca-csr.json": `{"CN": "Legacy CA", "key": {"algo": "ecdsa", "size": 256}}`,
	"csr.json":    `{"CN": "legacy", "hosts": ["legacy.example.com"], "key": {"algo": "ecdsa", "size": 256}}`,
	"config.json": `{"signing": {"default": {"expiry": "24h"}, "profiles": {"server": {"expiry": "12h", "usages": ["signing", "digital signature", "server auth"]}}}}`,
}

// Every example of every command's help runs, as a user would run it: in a
// shell, with nothing changed but the addresses, and /tls, which is here.
func TestExamples(t *testing.T) {
	unused := map[string]bool{}
	for line := range stages {
		unused[line] = true
	}
	for _, cmd := range tree() {
		for _, line := range examples(cmd) {
			stage, ok := stages[line]
			if !ok {
				t.Errorf("%q, in the help of %q, is not run; say in stages what it needs", line, cmd.CommandPath())
			}
			if ok && unused[line] {
				t.Run(line, stage.play(line))
			}
			delete(unused, line)
		}
	}
	for line := range unused {
		t.Errorf("%q is in no help; take it out of stages", line)
	}
}

func (s stage) play(line string) func(t *testing.T) {
	return func(t *testing.T) {
		t.Parallel() // nearly all of it is waiting for processes to start
		if testing.Short() && strings.HasPrefix(line, "grpcx bench") {
			t.Skip("it measures every load")
		}
		shell := newShell(t)
		shell.must(t, s.lines...)
		for name, text := range s.files {
			assert.NoError(t, os.WriteFile(filepath.Join(shell.dir, name), []byte(text), 0o600))
		}
		here := []string{"/tls/", "tls/"}
		if s.serve != nil {
			here = append(here, s.serve(t, shell.dir)...)
		}
		command, redirect, redirected := strings.Cut(strings.NewReplacer(here...).Replace(line), " > ")
		command += s.short
		if redirected {
			command += " > " + redirect
		}
		if s.until != "" {
			shell.interrupt(t, command, s.until)
			return
		}
		code, stdout, stderr := shell.run(t, command)
		assert.True(t, slices.Contains(append(s.codes, 0), code), stderr)
		if code == 0 {
			assert.Equal(t, stderr, "")
		}
		assert.Contains(t, stdout, s.stdout)
		assert.True(t, redirected || stdout != "", "it says nothing")
	}
}

// interrupt ends a line that does not end by itself, which is success.
func (s *shell) interrupt(t *testing.T, line, until string) {
	t.Helper()
	cmd := s.command(t, "exec "+line)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	assert.NoError(t, err)
	assert.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for said := false; !said; said = strings.Contains(lines.Text(), until) {
		if !lines.Scan() {
			t.Fatalf("%s ended without %q: %v: %s", line, until, cmd.Wait(), errs.String())
		}
	}
	assert.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	assert.NoError(t, cmd.Wait(), line, errs.String())
	assert.Equal(t, errs.String(), "")
}

// serve starts a server of grpc.health.v1 and returns its port.
func serve(t *testing.T, config *tls.Config) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	var options []grpc.ServerOption
	if config != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	server, status := grpc.NewServer(options...), health.NewServer()
	status.SetServingStatus("acme.greet.v1.Greeter", healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(server, status)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(lis) // ends with Stop
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	_, port, err := net.SplitHostPort(lis.Addr().String())
	assert.NoError(t, err)
	return port
}

// config is that of a server with the files of a directory.
func config(t *testing.T, dir string, auth tls.ClientAuthType) *tls.Config {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	assert.NoError(t, err)
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	assert.NoError(t, err)
	pool := x509.NewCertPool()
	assert.True(t, pool.AppendCertsFromPEM(ca))
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: auth, MinVersion: tls.VersionTLS12}
}

func plaintext(t *testing.T, _ string) []string { return []string{"50051", serve(t, nil)} }

func oneWay(t *testing.T, dir string) []string {
	return []string{"50052", serve(t, config(t, filepath.Join(dir, "tls"), tls.NoClientCert))}
}

func mutual(t *testing.T, dir string) []string {
	return []string{"50053", serve(t, config(t, filepath.Join(dir, "tls"), tls.RequireAndVerifyClientCert))}
}

func api(t *testing.T, dir string) []string {
	return []string{"50051", serve(t, config(t, filepath.Join(dir, "api"), tls.NoClientCert))}
}

// free has doctor bind ports of the system's choice.
func free(*testing.T, string) []string { return []string{"50051", "0", "8086", "0"} }
