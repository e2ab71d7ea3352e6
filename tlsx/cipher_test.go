package tlsx_test

import (
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

const cipherChild = "TLSX_TEST_CIPHER_CHILD"

// Go chooses the suite by what the CPU is good at, and nothing here overrules
// it: AES with hardware for it, ChaCha20 without. GODEBUG is read when a
// process starts, so each choice is made by a child.
func TestCipherFollowsTheCPU(t *testing.T) {
	if os.Getenv(cipherChild) != "" {
		ca := certtest.NewCA(t, "root")
		server := serverSnapshot(t, ca.Issue(t, certtest.Server), tlsx.RequireClientCert, ca)
		client := clientSnapshot(t, ca.Issue(t, certtest.Client), ca)
		state, _, err, clientErr := handshake(t, tlsx.ServerConfig(tlsx.Static(server)),
			tlsx.ClientConfig(tlsx.Static(client), tlsx.ServerName("localhost")))
		assert.NoError(t, err)
		assert.NoError(t, clientErr)
		fmt.Println("chosen:", tls.CipherSuiteName(state.CipherSuite))
		return
	}
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skipf("GODEBUG=cpu.aes=off is not known on %s", runtime.GOARCH)
	}
	self, err := os.Executable()
	assert.NoError(t, err)
	argv := []string{self}
	if emulator := os.Getenv("GRPCX_EMULATOR"); emulator != "" {
		argv = []string{emulator, os.Args[0]} // the kernel cannot execute the binary itself
	}
	for debug, suite := range map[string]string{
		"":            "TLS_AES_128_GCM_SHA256",
		"cpu.aes=off": "TLS_CHACHA20_POLY1305_SHA256",
	} {
		cmd := exec.CommandContext(t.Context(), argv[0], append(argv[1:], "-test.run=^TestCipherFollowsTheCPU$")...)
		cmd.Env = append(os.Environ(), cipherChild+"=1", "GODEBUG="+debug)
		out, err := cmd.CombinedOutput()
		assert.NoError(t, err, string(out))
		assert.Contains(t, string(out), "chosen: "+suite)
	}
}
