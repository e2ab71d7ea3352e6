package conformance_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

const tries = 3

// h2spec passes every case that it passes with a bare grpc-go server in the same
// run. Both ask for client certificates.
func TestH2Spec(t *testing.T) {
	dir := programs(t)
	woven, bareCerts := newWoven(t), newCerts(t)
	// Without a limit of its streams h2spec skips a case.
	bare := newBare(t, grpc.Creds(bareTLS(t, bareCerts)), grpc.MaxConcurrentStreams(250))
	var ours, theirs map[string]string
	t.Run("servers", func(t *testing.T) {
		t.Run("grpcx", func(t *testing.T) {
			t.Parallel()
			ours = h2spec(t, dir, woven.addr, woven.certs)
		})
		t.Run("bare", func(t *testing.T) {
			t.Parallel()
			theirs = h2spec(t, dir, bare, bareCerts)
		})
	})
	assert.True(t, len(ours) > 140 && len(ours) == len(theirs), "h2spec ran")
	// Where a server says GOAWAY and closes while h2spec still writes, the kernel
	// may reset the connection before h2spec has read that: a race that either
	// server loses at times.
	for range tries - 1 {
		for _, name := range behind(ours, theirs) {
			ours[name] = h2spec(t, dir, woven.addr, woven.certs, id(name))[name]
		}
		for _, name := range behind(theirs, ours) {
			theirs[name] = h2spec(t, dir, bare, bareCerts, id(name))[name]
		}
	}
	for _, name := range behind(ours, theirs) {
		t.Errorf("%s: %s; a bare server passes", name, ours[name])
	}
	for _, name := range behind(theirs, ours) {
		t.Logf("%s: passed; a bare server: %s", name, theirs[name])
	}
	t.Logf("%d cases; grpcx %s; bare grpc-go %s", len(ours), score(ours), score(theirs))
}

// id returns the part of a case's name that h2spec takes as an argument.
func id(name string) string {
	id, _, _ := strings.Cut(name, " ")
	return id
}

func score(ended map[string]string) string {
	var passed, skipped, failed int
	for _, how := range ended {
		switch how {
		case "passed":
			passed++
		case "skipped":
			skipped++
		default:
			failed++
		}
	}
	return fmt.Sprintf("passed %d, skipped %d, failed %d", passed, skipped, failed)
}

// behind returns the cases that end well in other alone.
func behind(one, other map[string]string) (names []string) {
	for name, how := range other {
		if how == "passed" && one[name] != "passed" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// h2spec runs the cases with these IDs, or all, and returns how each ended.
func h2spec(t *testing.T, dir, addr string, certs *devcert.Authority, ids ...string) map[string]string {
	t.Helper()
	files, report := certs.ClientFiles(), filepath.Join(t.TempDir(), "report.json")
	args := append([]string{"-addr", addr, "-cert", files.Cert, "-key", files.Key, "-report", report}, ids...)
	if out, err := exec.Command(filepath.Join(dir, "h2spec"), args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(report)
	assert.NoError(t, err)
	var ended map[string]string
	assert.NoError(t, json.Unmarshal(text, &ended))
	return ended
}

// bareTLS is mutual TLS as grpc-go's examples set it up.
func bareTLS(t *testing.T, certs *devcert.Authority) credentials.TransportCredentials {
	t.Helper()
	files := certs.ServerFiles()
	cert, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	assert.NoError(t, err)
	clients := x509.NewCertPool()
	clients.AddCert(certs.CA())
	return credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{cert}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert,
	})
}
