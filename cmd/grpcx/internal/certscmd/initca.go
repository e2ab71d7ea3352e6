package certscmd

import (
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
)

const defaultCALifetime = 5 * 365 * 24 * time.Hour

type initCA struct {
	streams      cli.Streams
	dir, cn, org string
	key          string
	lifetime     time.Duration
	csr          string
	permitDNS    []string
	permitIP     []string
	permitURI    []string
	output       cli.Format
}

func newInitCA(streams cli.Streams) *cobra.Command {
	c := &initCA{streams: streams, lifetime: defaultCALifetime}
	cmd := &cobra.Command{
		Use:   "init-ca",
		Short: "Make a certificate authority",
		Long: `Make a certificate authority in a new or empty directory: ca.crt, ca.key
(mode 0600) and index.json. It can sign certificates and revocation lists, and no
further authority. Guard ca.key: who has it can be everybody.

With --permit-dns, --permit-ip or --permit-uri the authority can only vouch for
names of that kind below those given; kinds that are not given stay open.

--cfssl-csr reads a request in cfssl's JSON: "CN", "key", "names" with C, ST, L, O
and OU, and "ca" with "expiry". Other fields are refused by name.

Exit codes: 0 done, 1 failed, 2 wrong arguments or input and nothing was done.`,
		Example: `  grpcx certs init-ca --ca ca
  grpcx certs init-ca --ca mesh-ca --cn "Mesh CA" --lifetime 365d --permit-dns example.com --permit-uri example.org
  grpcx certs init-ca --ca legacy-ca --cfssl-csr ca-csr.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Flags().Changed) },
	}
	caFlag(cmd, &c.dir)
	f := cmd.Flags()
	f.StringVar(&c.cn, "cn", "", "common name of the authority (default \"grpcx CA\" and a part of its serial number)")
	f.StringVar(&c.org, "org", "", "organization of the authority")
	f.StringVar(&c.key, "key", string(defaultKey), "algorithm of the key: "+strings.Join(keyAlgorithms, ", "))
	f.Var(lifetimeFlag{&c.lifetime}, "lifetime", "how long the authority lasts, such as 12h or 365d")
	f.StringVar(&c.csr, "cfssl-csr", "", "file of a request in cfssl's JSON")
	f.StringSliceVar(&c.permitDNS, "permit-dns", nil, "vouch only for this DNS domain and those below it")
	f.StringSliceVar(&c.permitIP, "permit-ip", nil, "vouch only for this network, such as 10.0.0.0/8")
	f.StringSliceVar(&c.permitURI, "permit-uri", nil, "vouch only for URIs with this host, such as a SPIFFE trust domain")
	choices(cmd, "key", keyAlgorithms...)
	cli.OutputVar(cmd, &c.output)
	return cmd
}

func (c *initCA) run(changed func(string) bool) error {
	now := time.Now().Truncate(time.Second)
	r, err := c.request(changed)
	if err != nil {
		return usage(err)
	}
	template, err := c.template(r, now)
	if err != nil {
		return usage(err)
	}
	if err := checkEmpty(c.dir); err != nil {
		return usage(err)
	}
	key, err := r.key.generate()
	if err != nil {
		return failf("%w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return failf("sign the authority's certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return failf("sign the authority's certificate: %w", err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return failf("%w", err)
	}
	indexJSON, err := newIndex().encode()
	if err != nil {
		return failf("encode the index: %w", err)
	}
	err = createAuthority(c.dir, []setFile{
		{caKeyFile, keyPEM, 0o600}, {indexFile, indexJSON, 0o600}, {caCertFile, encodeCert(cert), 0o644},
	})
	if err != nil {
		return failf("make --ca %q: %w", c.dir, explain(err))
	}
	if c.output == cli.JSON {
		return writeJSON(c.streams, viewCert(cert, now))
	}
	printf(c.streams, "authority %q in %s, valid until %s\n", clean(cert.Subject.CommonName), c.dir, stamp(cert.NotAfter))
	return nil
}

// request reads the subject, the key's algorithm and the lifetime.
func (c *initCA) request(changed func(string) bool) (request, error) {
	if c.csr == "" {
		r := request{lifetime: c.lifetime}
		var p problems
		var err error
		r.key, err = parseKeyAlgorithm(c.key)
		p.add(err)
		p.add(r.setCommonName(c.cn))
		if c.org != "" {
			if len(c.org) > 64 || clean(c.org) != c.org {
				p.addf("--org %q is too long or not printable; use up to 64 bytes", clean(c.org))
			}
			r.subject.Organization = []string{c.org}
		}
		return r, p.err()
	}
	if given := firstChanged(changed, "cn", "org", "key"); given != "" {
		return request{}, fmt.Errorf("--%s contradicts --cfssl-csr; write it into that file", given)
	}
	data, err := readInput(c.csr, maxInput)
	if err != nil {
		return request{}, fmt.Errorf("--cfssl-csr %q: %w", c.csr, err)
	}
	r, err := parseCACSR(data)
	if err != nil {
		return request{}, fmt.Errorf("--cfssl-csr %q: %w", c.csr, err)
	}
	if r.lifetime == 0 {
		r.lifetime = c.lifetime
	} else if changed("lifetime") {
		return request{}, fmt.Errorf("--lifetime contradicts --cfssl-csr %q, which has an expiry; leave one out", c.csr)
	}
	return r, nil
}

func (c *initCA) template(r request, now time.Time) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	var p problems
	t := &x509.Certificate{
		SerialNumber: serial, NotBefore: now.Add(-backdate), NotAfter: now.Add(r.lifetime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		Subject:  r.subject,
	}
	if t.Subject.CommonName == "" {
		t.Subject.CommonName = "grpcx CA " + serialText(serial)[:8]
	}
	lower(c.permitDNS)
	lower(c.permitURI)
	for _, name := range c.permitDNS {
		if !validDNSName(name) || strings.HasPrefix(name, "*") {
			p.addf(`--permit-dns %q is not a domain; use one such as "example.com", which includes those below it`, clean(name))
		}
	}
	for _, name := range c.permitURI {
		if !validDNSName(strings.TrimPrefix(name, ".")) || strings.HasPrefix(name, "*") {
			p.addf(`--permit-uri %q is not a host; use one such as "example.org"`, clean(name))
		}
	}
	for _, s := range c.permitIP {
		_, network, err := net.ParseCIDR(s)
		if err != nil {
			p.addf("--permit-ip %q is not a network; use one such as 10.0.0.0/8", clean(s))
			continue
		}
		t.PermittedIPRanges = append(t.PermittedIPRanges, network)
	}
	t.PermittedDNSDomains, t.PermittedURIDomains = c.permitDNS, c.permitURI
	t.PermittedDNSDomainsCritical = len(c.permitDNS)+len(c.permitURI)+len(c.permitIP) > 0
	return t, p.err()
}

func checkEmpty(dir string) error {
	if dir == "" {
		return errors.New("--ca is empty; name a directory")
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("--ca %q: %w", dir, explain(err))
	case len(entries) > 0:
		return fmt.Errorf("--ca %q is not empty; name a new directory", dir)
	}
	return nil
}

func lower(names []string) {
	for i, name := range names {
		names[i] = strings.ToLower(name)
	}
}

// createAuthority makes the files, ca.crt last: without it there is no
// authority. Where the directory is new it is made elsewhere and renamed, so that
// there is a whole one or none. One that is there stays, since it may be a mount.
func createAuthority(dir string, files []setFile) error {
	dir = filepath.Clean(dir)
	if _, err := os.Stat(dir); err == nil {
		_ = os.Chmod(dir, 0o700) //nolint:gosec // a directory; if it is somebody else's, the key's own mode must do
		return fillAuthority(dir, files)
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil { //nolint:gosec // only the authority's own directory is private
		return err
	}
	temp, err := os.MkdirTemp(parent, ".grpcx-ca-*") // mode 0700
	if err != nil {
		return err
	}
	if err = fillAuthority(temp, files); err == nil {
		err = os.Rename(temp, dir)
	}
	if err != nil {
		_ = os.RemoveAll(temp)
		return err
	}
	return syncDir(parent)
}

func fillAuthority(dir string, files []setFile) error {
	for i, f := range files {
		if err := createFile(filepath.Join(dir, f.name), f.data, f.mode); err != nil {
			for _, made := range files[:i] {
				_ = os.Remove(filepath.Join(dir, made.name))
			}
			return err
		}
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}
