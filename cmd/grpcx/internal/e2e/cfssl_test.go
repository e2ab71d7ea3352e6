package e2e_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
)

// cfsslVersion is that which reads the same files.
const cfsslVersion = "v1.6.5"

// What examples/cfssl asks for is what is made, by "grpcx certs" and by cfssl.
func TestCFSSLExample(t *testing.T) {
	want := map[string]string{
		"ca": "CN=Example CA,O=Example,C=DE; CA, 0 below; sign certificates and lists; ; ; ; P-384 ECDSA-SHA384; 43800h0m0s",
		"server": "CN=greeter,OU=Servers,O=Example,C=DE; leaf; digital signature; [serverAuth]; [localhost greeter.example.com] [127.0.0.1 ::1] []; " +
			"by CN=Example CA,O=Example,C=DE; P-256 ECDSA-SHA384; 24h0m0s",
		"client": "CN=client,OU=Clients,O=Example,C=DE; leaf; digital signature; [clientAuth]; [] [] [spiffe://example.org/client]; " +
			"by CN=Example CA,O=Example,C=DE; P-256 ECDSA-SHA384; 8h0m0s",
	}
	source := filepath.Join(sourceDir, "..", "..", "..", "..", "examples", "cfssl")
	t.Run("grpcx", func(t *testing.T) {
		t.Chdir(t.TempDir())
		certs(t, "init-ca", "--cfssl-csr", filepath.Join(source, "ca-csr.json"))
		assert.Equal(t, describe(t, "ca/ca.crt"), want["ca"])
		for _, name := range []string{"server", "client"} {
			certs(t, "issue", "--out", name, "--profile", name, "--cfssl-csr", filepath.Join(source, name+"-csr.json"),
				"--cfssl-config", filepath.Join(source, "ca-config.json"))
			assert.Equal(t, describe(t, name+"/tls.crt"), want[name])
		}
		callGo(t, serveGo(t, "server"), "client")
	})
	t.Run("cfssl", func(t *testing.T) {
		if os.Getenv("GRPCX_CERTS") == "" {
			t.Skip("runs with `make test-certs`: it builds cfssl")
		}
		bin := t.TempDir()
		t.Chdir(t.TempDir())
		install := exec.CommandContext(t.Context(), "go", "install",
			"github.com/cloudflare/cfssl/cmd/cfssl@"+cfsslVersion, "github.com/cloudflare/cfssl/cmd/cfssljson@"+cfsslVersion)
		install.Env = append(os.Environ(), "GOBIN="+bin)
		out, err := install.CombinedOutput()
		assert.NoError(t, err, string(out))
		gencert := func(name string, args ...string) string {
			line := fmt.Sprintf("%s/cfssl gencert %s %s/%s-csr.json | %[1]s/cfssljson -bare %[4]s", bin, strings.Join(args, " "), source, name)
			out, err := exec.CommandContext(t.Context(), "bash", "-o", "pipefail", "-c", line).CombinedOutput()
			assert.NoError(t, err, line, string(out))
			return describe(t, name+".pem")
		}
		assert.Equal(t, gencert("ca", "-initca"), want["ca"])
		for _, name := range []string{"server", "client"} {
			got := gencert(name, "-ca", "ca.pem", "-ca-key", "ca-key.pem", "-config", filepath.Join(source, "ca-config.json"), "-profile", name)
			assert.Equal(t, got, want[name])
			assert.NoError(t, os.Mkdir(name, 0o700))
			for from, to := range map[string]string{name + ".pem": "tls.crt", name + "-key.pem": "tls.key", "ca.pem": "ca.crt"} {
				data, err := os.ReadFile(from)
				assert.NoError(t, err)
				assert.NoError(t, os.WriteFile(filepath.Join(name, to), data, 0o600))
			}
		}
		callGo(t, serveGo(t, "server"), "client")
	})
}

// describe says all of a certificate but what must differ each time.
func describe(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	assert.NoError(t, err)
	block, _ := pem.Decode(data)
	cert, err := x509.ParseCertificate(block.Bytes)
	assert.NoError(t, err)
	kind, usage, issuer := "leaf", fmt.Sprint(cert.KeyUsage), "by "+cert.Issuer.String()
	names := fmt.Sprint(cert.DNSNames, cert.IPAddresses, cert.URIs)
	eku := fmt.Sprint(cert.ExtKeyUsage)
	switch cert.KeyUsage {
	case x509.KeyUsageDigitalSignature:
		usage = "digital signature"
	case x509.KeyUsageCertSign | x509.KeyUsageCRLSign:
		usage = "sign certificates and lists"
	}
	if cert.IsCA {
		kind, issuer = fmt.Sprintf("CA, %d below", cert.MaxPathLen), ""
	}
	if names == "[] [] []" {
		names = ""
	}
	if eku == "[]" {
		eku = ""
	}
	life := cert.NotAfter.Sub(cert.NotBefore).Round(time.Hour) // one backdates, the other shifts
	curve := cert.PublicKey.(*ecdsa.PublicKey).Curve.Params().Name
	return strings.Join([]string{cert.Subject.String(), kind, usage, eku, names, issuer, curve + " " + cert.SignatureAlgorithm.String(), life.String()}, "; ")
}
