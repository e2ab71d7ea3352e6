package certscmd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/certscmd"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
)

const crashEnv = "GRPCX_CERTS_CRASH"

// crash runs commands without end; the test kills it.
func crash() {
	for i := 0; ; i++ {
		name := fmt.Sprintf("%s-%d", os.Getenv(crashEnv), i)
		for _, args := range [][]string{
			{"issue", "--out", "leaf/" + name, "--dns", "localhost"},
			{"renew", "--force", "api"},
			{"crl", "--out", "ca.crl"},
			{"revoke", "leaf/" + name},
		} {
			if cli.Run(context.Background(), cli.System(), append([]string{"certs"}, args...), certscmd.New) != 0 {
				os.Exit(1)
			}
		}
	}
}

type indexFile struct {
	CRLNumber    int64 `json:"crl_number"`
	Certificates []struct {
		Serial, Name string
		Revoked      *struct{ Reason string }
	}
}

func readIndex(t *testing.T) (x indexFile) {
	t.Helper()
	data, err := os.ReadFile("ca/index.json")
	assert.NoError(t, err)
	assert.NoError(t, json.Unmarshal(data, &x))
	return x
}

// A command that is killed at any moment leaves the old state or the new one:
// the authority works, a certificate's directory is whole or free, what was
// handed out is in the index, and lists only get higher numbers.
func TestKilled(t *testing.T) {
	newCA(t)
	mustRun(t, "issue", "--out", "api", "--dns", "localhost")
	last := int64(0)
	issued := 0
	for i := range 25 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", crashEnv, i))
		var errs bytes.Buffer
		cmd.Stderr = &errs
		first := make(chan struct{})
		cmd.Stdout = &signalWriter{first: first}
		assert.NoError(t, cmd.Start())
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case <-first:
			time.AfterFunc(time.Duration(i)*531*time.Microsecond, func() { _ = cmd.Process.Kill() })
		case err := <-done:
			t.Fatalf("ended early: %v\n%s", err, errs.String())
		}
		assert.ErrorContains(t, <-done, "killed")
		assert.Equal(t, errs.String(), "")

		x := readIndex(t)
		assert.True(t, x.CRLNumber >= last, "numbers of lists")
		last = x.CRLNumber
		known := map[string]bool{}
		for _, c := range x.Certificates {
			known[c.Serial] = true
		}
		assert.True(t, known[fmt.Sprintf("%x", load(t, "api", tlsx.ForServer).Leaf().SerialNumber)], "api is in the index")
		dirs, err := filepath.Glob("leaf/*")
		assert.NoError(t, err)
		for _, dir := range dirs {
			if _, err := os.Stat(filepath.Join(dir, "tls.crt")); err != nil {
				mustRun(t, "issue", "--out", dir, "--dns", "localhost") // it is free
				continue
			}
			issued++
			leaf := load(t, dir, tlsx.ForServer).Leaf()
			assert.True(t, known[fmt.Sprintf("%x", leaf.SerialNumber)], dir)
		}
		if _, err := os.Stat("ca.crl"); err == nil {
			s, err := tlsx.Load(tlsx.Files{Cert: "api/tls.crt", Key: "api/tls.key", ClientCA: "api/ca.crt", CRL: []string{"ca.crl"}})
			assert.NoError(t, err)
			number, err := strconv.ParseInt(s.CRLs()[0].Number, 10, 64)
			assert.NoError(t, err)
			assert.True(t, number <= last, "the number of the list is in the index")
		}
	}
	assert.True(t, issued > 0, "certificates were issued")
	mustRun(t, "renew", "--force", "api")
	entries, err := os.ReadDir("api")
	assert.NoError(t, err)
	assert.Equal(t, len(entries), 5, "what was left behind was removed:", names(entries))
}

func names(entries []os.DirEntry) string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

// A signalWriter closes a channel at the first write.
type signalWriter struct{ first chan struct{} }

func (w *signalWriter) Write(p []byte) (int, error) {
	if w.first != nil {
		close(w.first)
		w.first = nil
	}
	return len(p), nil
}
