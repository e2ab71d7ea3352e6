package certscmd_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
)

const fleetYAML = `
defaults: {profile: server, lifetime: 12h}
certificates:
- {name: api, dns: [api.example.com, localhost], ip: [127.0.0.1, "::1"], key: ed25519}
- {name: web, profile: client, spiffe: "spiffe://example.org/web", lifetime: 1h, key: rsa-2048}
- {name: mesh, profile: both, common_name: Mesh, spiffe: "spiffe://example.org/mesh", key: ecdsa-p384}
`

const fleetCSV = `# comment
name,profile,dns,ip,spiffe,lifetime
api,server,api.example.com localhost,127.0.0.1;::1,,12h
web,client,,,spiffe://example.org/web,1h
mesh,both,,,spiffe://example.org/mesh,12h
`

const csrJSON = `{"CN": "legacy", "hosts": ["legacy.example.com", "10.0.0.7", "spiffe://example.org/legacy"],
 "key": {"algo": "rsa", "size": 2048}, "names": [{"C": "DE", "O": "Example", "OU": "Ops"}]}`

const caCSRJSON = `{"CN": "Legacy CA", "key": {"algo": "ecdsa", "size": 384}, "names": [{"C": "DE", "O": "Example"}], "ca": {"expiry": "8760h"}}`

const configJSON = `{"signing": {"default": {"expiry": "48h"}, "profiles": {
 "server": {"expiry": "24h", "usages": ["signing", "key encipherment", "server auth"]},
 "peer": {"usages": ["signing", "server auth", "client auth"]}}}}`

func load(t *testing.T, dir string, usage tlsx.Usage) *tlsx.Snapshot {
	t.Helper()
	s, err := tlsx.Load(tlsx.Files{
		Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"),
		ClientCA: filepath.Join(dir, "ca.crt"), Usage: usage,
	})
	assert.NoError(t, err)
	return s
}

func TestIssueOne(t *testing.T) {
	newCA(t, "--cn", "Test CA")
	out := mustRun(t, "issue", "--out", "api", "--dns", "api.example.com,localhost", "--ip", "127.0.0.1", "--lifetime", "2d")
	assert.Contains(t, out, "[1/1] api: server certificate for api.example.com, localhost, 127.0.0.1 until ")
	leaf := load(t, "api", tlsx.ForServer).Leaf()
	assert.Equal(t, leaf.DNSNames, []string{"api.example.com", "localhost"})
	assert.Equal(t, leaf.NotAfter.Sub(leaf.NotBefore).String(), "48h5m0s")
	for _, path := range []string{"api/tls.key", "ca/ca.key", "ca/index.json"} {
		info, err := os.Stat(path)
		assert.NoError(t, err)
		assert.Equal(t, info.Mode().Perm(), os.FileMode(0o600), path)
	}
	link, err := os.Readlink("api/tls.key")
	assert.NoError(t, err)
	assert.Equal(t, link, "..data/tls.key")
	refused(t, "holds tls.crt already", "issue", "--out", "api", "--dns", "api.example.com")
}

func TestIssueBatch(t *testing.T) {
	for name, content := range map[string]string{"fleet.yaml": fleetYAML, "fleet.csv": fleetCSV} {
		t.Run(name, func(t *testing.T) {
			newCA(t)
			write(t, name, content)
			out := mustRun(t, "issue", "--out", "fleet", "--batch", name)
			assert.Contains(t, out, "[1/3] fleet/api: server", "[2/3] fleet/web: client", "[3/3] fleet/mesh: both")
			assert.Equal(t, len(load(t, "fleet/api", tlsx.ForServer).Leaf().IPAddresses), 2)
			web := load(t, "fleet/web", tlsx.ForClient).Leaf()
			assert.Equal(t, web.URIs[0].String(), "spiffe://example.org/web")
			assert.Equal(t, web.NotAfter.Sub(web.NotBefore).String(), "1h5m0s")
			mesh := load(t, "fleet/mesh", tlsx.ForBoth).Leaf()
			assert.Equal(t, mesh.NotAfter.Sub(mesh.NotBefore).String(), "12h5m0s")
			var index struct{ Certificates []struct{ Name string } }
			data, err := os.ReadFile("ca/index.json")
			assert.NoError(t, err)
			assert.NoError(t, json.Unmarshal(data, &index))
			assert.Equal(t, len(index.Certificates), 3)
		})
	}
}

func TestIssueCFSSL(t *testing.T) {
	newCA(t)
	write(t, "csr.json", csrJSON)
	write(t, "config.json", configJSON)
	mustRun(t, "issue", "--out", "legacy", "--cfssl-csr", "csr.json", "--cfssl-config", "config.json", "--profile", "server")
	leaf := load(t, "legacy", tlsx.ForServer).Leaf()
	assert.Equal(t, leaf.Subject.String(), "CN=legacy,OU=Ops,O=Example,C=DE")
	assert.Equal(t, leaf.NotAfter.Sub(leaf.NotBefore).String(), "24h5m0s")
	mustRun(t, "issue", "--out", "peer", "--cfssl-csr", "csr.json", "--cfssl-config", "config.json", "--profile", "peer")
	leaf = load(t, "peer", tlsx.ForBoth).Leaf()
	assert.Equal(t, leaf.NotAfter.Sub(leaf.NotBefore).String(), "48h5m0s")
}

func TestIssueJSON(t *testing.T) {
	newCA(t)
	var views []struct {
		Name        string `json:"name"`
		Directory   string `json:"directory"`
		Certificate struct {
			Serial string   `json:"serial"`
			DNS    []string `json:"dns"`
			URI    []string `json:"uri"`
		} `json:"certificate"`
	}
	out := mustRun(t, "issue", "--out", "api", "--dns", "API.example.com", "-o", "json")
	assert.NoError(t, json.Unmarshal([]byte(out), &views))
	assert.Equal(t, len(views), 1)
	assert.Equal(t, views[0].Directory, "api")
	assert.Equal(t, views[0].Certificate.DNS, []string{"api.example.com"})
	assert.Equal(t, views[0].Certificate.URI, []string{})
	assert.Equal(t, len(views[0].Certificate.Serial), 32)
}

func TestIssueRefuses(t *testing.T) {
	newCA(t, "--permit-dns", "example.com", "--lifetime", "30d")
	write(t, "plain", "x")
	batch := func(content string) string {
		write(t, "bad.yaml", content)
		return "bad.yaml"
	}
	csv := func(content string) string {
		write(t, "bad.csv", content)
		return "bad.csv"
	}
	csr := func(content string) string {
		write(t, "bad.json", content)
		return "bad.json"
	}
	write(t, "good.json", csrJSON)
	issue := func(args ...string) []string { return append([]string{"issue", "--out", "new"}, args...) }
	for _, c := range []struct {
		want string
		args []string
	}{
		{"--out is missing", []string{"issue", "--dns", "a.example.com"}},
		{"no name is given", issue()},
		{"a common name is not an identity", issue("--cn", "api")},
		{"is not a DNS name", issue("--dns", "a b")},
		{"is an IP address; give it as one", issue("--dns", "10.0.0.1")},
		{"is not an IP address", issue("--ip", "10.0.0")},
		{"is not a SPIFFE ID", issue("--spiffe", "spiffe://Example.org/x")},
		{"holds one URI only", issue("--spiffe", "spiffe://example.org/x", "--uri", "https://example.com/")},
		{"profile \"x\" is unknown", issue("--dns", "a.example.com", "--profile", "x")},
		{"key \"rsa-1024\" is unknown", issue("--dns", "a.example.com", "--key", "rsa-1024")},
		{"is not a duration", issue("--dns", "a.example.com", "--lifetime", "soon")},
		{"is out of range", issue("--dns", "a.example.com", "--lifetime", "0s")},
		{"2 problems: ", issue("--dns", "a b", "--ip", "x")},
		{"would end after its authority", issue("--dns", "a.example.com", "--lifetime", "60d")},
		{"ask for names that the authority permits", issue("--dns", "a.example.net")},
		{"is no directory", []string{"issue", "--out", "plain", "--dns", "a.example.com"}},
		{"grpcx certs init-ca", issue("--ca", "none", "--dns", "a.example.com")},
		{"is neither .yaml, .yml nor .csv", issue("--batch", "plain")},
		{"check the path", issue("--batch", "none.yaml")},
		{"write it into the --batch file", issue("--batch", "none.yaml", "--dns", "x")},
		{"lists no certificate", issue("--batch", batch(""))},
		{"none of the others can be", issue("--batch", "bad.yaml", "--cfssl-csr", "x")},
		{"needs --cfssl-csr", issue("--cfssl-config", "x")},
		{"contradicts --cfssl-csr", issue("--cfssl-csr", "good.json", "--dns", "x")},
		{"check the path", issue("--cfssl-csr", "good.json", "--cfssl-config", "none.json")},
		{"unknown flag", issue("--wrong")},
		{"must be tty or json", issue("-o", "xml")},
	} {
		refused(t, c.want, c.args...)
	}
	for content, want := range map[string]string{
		"certificates: [{name: a, dns: [a.example.com], colour: red}]":         "field colour not found",
		"certificates: [{name: ../a, dns: [a.example.com]}]":                   "cannot name a directory",
		"certificates: [{name: a, dns: [a.example.com]}, {name: A, dns: [a]}]": "is there twice",
		"defaults: {dns: [a]}\ncertificates: [{name: a}]":                      "defaults may hold",
		"certificates: [{name: a}]\n---\nx: 1":                                 "more than one YAML document",
		"certificates: {":                                                      "is not valid YAML",
		"certificates: [{name: a, dns: [a.example.com]}, {name: b}]":           "certificate 2 (b): no name is given",
	} {
		refused(t, want, issue("--batch", batch(content))...)
	}
	for content, want := range map[string]string{
		"dns\na":                       "has no column",
		"name,name\na,b":               "is there twice",
		"name,colour\na,red":           "column \"colour\" is unknown",
		"name,dns\na":                  "is not valid CSV",
		"name,dns\na,a.example.com x_": "", // underscores are fine, but x_ is not permitted by the authority
	} {
		refused(t, want, issue("--batch", csv(content))...)
	}
	for content, want := range map[string]string{
		`{"CN": "x"}`: "a common name is not an identity",
		`{"hosts": ["a.example.com"], "ca": {"expiry": "1h"}}`: `"ca" makes an authority`,
		`{"hosts": ["a@example.com"]}`:                         "email address",
		`{"hosts": ["a.example.com"], "key": {"algo": "dsa"}}`: "is not supported",
		`{"hosts": "a"}`:                  `field "hosts" must be a list`,
		`{"hosts": ["a.example.com"]} {}`: "data after the JSON document",
		`{"hosts": [`:                     "is not valid JSON",
		`{"hosts": ["a.example.com"], "names": [{"E": "x@y.com"}]}`: `the field "E" is not supported`,
	} {
		refused(t, want, issue("--cfssl-csr", csr(content))...)
	}
	for content, want := range map[string]string{
		`{}`: "has no profile",
		`{"signing": {"profiles": {"a": {"expiry": "1h", "usages": ["server auth", "code signing"]}}}}`: `usage "code signing" is not supported`,
		`{"signing": {"profiles": {"a": {"expiry": "x", "usages": ["server auth"]}}}}`:                  "is not a duration",
		`{"signing": {"profiles": {"a": {"expiry": "1h", "usages": ["signing"]}}}}`:                     `neither "server auth" nor "client auth"`,
		`{"signing": {"profiles": {"a": {"expiry": "1h", "auth_key": "k"}}}}`:                           `the field "auth_key" is not supported`,
		`{"signing": {"profiles": {"a": {"expiry": "1h", "usages": ["server auth"]}}}}`:                 `has no profile "server"; use --profile with one of a`,
	} {
		refused(t, want, issue("--cfssl-csr", "good.json", "--profile", "server", "--cfssl-config", csr(content))...)
	}
	if entries, _ := filepath.Glob("*new*"); len(entries) > 0 {
		t.Errorf("refused commands left %s", strings.Join(entries, ", "))
	}
}
