package certscmd

import (
	"context"
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
	"github.com/grpcx-go/sdk/tlsx"
)

type inspect struct {
	streams    cli.Streams
	key, ca    string
	usage      string
	host       string
	serverName string
	warn       time.Duration
	timeout    time.Duration
	strict     bool
	output     cli.Format

	cas []*x509.Certificate
}

func newInspect(streams cli.Streams) *cobra.Command {
	c := &inspect{streams: streams, timeout: 5 * time.Second}
	cmd := &cobra.Command{
		Use:   "inspect TARGET...",
		Short: "Look at certificates in files or at a server",
		Long: `Show certificates and say what peers would refuse. A target is a file in PEM or
DER, a directory with tls.crt and, where they are, tls.key and ca.crt, or the
host:port of a server. One that cannot be reached keeps no other from being
shown.

A server's certificate is looked at without trust: nothing is sent but the
handshake. Give --ca to have chains checked; the roots of the operating system
are never used. The host of the address, or --server-name, must be among a
server's names; --host asks that of files.

Warned of are a certificate with less than a third of its life left (or less than
--warn), a missing usage, missing names, a key that does not match or that others
can read, weak keys and signatures, wrong order, and a server without HTTP/2.

Exit codes: 0 nothing that peers refuse, 1 a server could not be reached or shows
no certificate, 2 wrong arguments or input, 3 problems found (with --strict,
warnings too).`,
		Example: `  grpcx certs inspect api
  grpcx certs inspect --ca api/ca.crt localhost:50051
  grpcx certs inspect --key api/tls.key --ca api/ca.crt --usage server --host api.example.com -o json api/tls.crt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args) },
	}
	f := cmd.Flags()
	f.StringVar(&c.key, "key", "", "file of the private key that must match")
	f.StringVar(&c.ca, "ca", "", "file of the CA certificates that must vouch for it")
	f.StringVar(&c.usage, "usage", "", "what it must be fit for: server, client or both (default for a server: server)")
	f.StringVar(&c.host, "host", "", "name or address that a certificate in a file must be for")
	f.StringVar(&c.serverName, "server-name", "", "name to ask a server for, instead of its host")
	f.Var(lifetimeFlag{&c.warn}, "warn", "warn when less than this is left (default a third of the life)")
	f.DurationVar(&c.timeout, "timeout", c.timeout, "how long a server may take")
	f.BoolVar(&c.strict, "strict", false, "exit with 3 for warnings too")
	choices(cmd, "usage", "server", "client", "both")
	f.Lookup("warn").DefValue = ""
	cli.OutputVar(cmd, &c.output)
	return cmd
}

// A report is what was found at one target.
type report struct {
	Target       string      `json:"target"`
	Kind         string      `json:"kind"` // "file", "directory" or "server"
	Certificates []certView  `json:"certificates"`
	Connection   *connection `json:"connection,omitempty"`
	Findings     []finding   `json:"findings"`
}

func (c *inspect) run(ctx context.Context, targets []string) error {
	if c.usage != "" {
		var u tlsx.Usage
		if u.UnmarshalText([]byte(c.usage)) != nil {
			return usagef("--usage %q is unknown; use server, client or both", clean(c.usage))
		}
	}
	if c.timeout <= 0 {
		return usagef("--timeout %v is not positive; use one such as 5s", c.timeout)
	}
	if c.ca != "" {
		var err error
		if c.cas, err = readCerts(c.ca); err != nil {
			return usagef("--ca %q: %w", c.ca, err)
		}
	}
	reports := make([]*report, 0, len(targets))
	var unreached problems
	for _, target := range targets {
		r, err := c.inspect(ctx, target)
		coded, _ := errors.AsType[*cli.Error](err)
		switch {
		case err == nil:
			reports = append(reports, r)
		case coded != nil && coded.Code == cli.Failed: // the others can still be looked at
			unreached.add(err)
		default:
			return err
		}
	}
	if err := c.show(reports); err != nil {
		return err
	}
	if err := unreached.err(); err != nil {
		return failf("%w", err)
	}
	bad := 0
	for _, r := range reports {
		for _, f := range r.Findings {
			if f.Severity == severityError || c.strict && f.Severity == severityWarning {
				bad++
			}
		}
	}
	if bad > 0 {
		return cli.Exit(problemsFound, fmt.Errorf("problems found: %d; the report says what to do", bad))
	}
	return nil
}

func (c *inspect) show(reports []*report) error {
	if c.output == cli.JSON {
		return writeJSON(c.streams, struct {
			Targets []*report `json:"targets"`
		}{reports})
	}
	c.table(reports)
	return nil
}

// inspect looks at one target: what exists is a file, what has a port a server.
func (c *inspect) inspect(ctx context.Context, target string) (*report, error) {
	info, err := os.Stat(target)
	switch {
	case err == nil && info.IsDir():
		return c.directory(target)
	case err == nil:
		return c.file(target, "file", target, c.key, c.cas)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, usagef("%q: %w", target, explain(err))
	}
	if _, port, err := net.SplitHostPort(target); err != nil || port == "" || strings.ContainsRune(target, filepath.Separator) {
		return nil, usagef("%q is neither a file nor host:port; check the path, or add the port of the server", clean(target))
	}
	return c.server(ctx, target)
}

func (c *inspect) directory(dir string) (*report, error) {
	key, cas := c.key, c.cas
	if path := filepath.Join(dir, keyFile); key == "" && exists(path) {
		key = path
	}
	if path := filepath.Join(dir, caFile); cas == nil && exists(path) {
		var err error
		if cas, err = readCerts(path); err != nil {
			return nil, usagef("%q: %w", path, err)
		}
	}
	return c.file(dir, "directory", filepath.Join(dir, certFile), key, cas)
}

func (c *inspect) file(target, kind, path, key string, cas []*x509.Certificate) (*report, error) {
	chain, err := readCerts(path)
	if err != nil {
		return nil, usagef("%q: %w", path, err)
	}
	j := judge{chain: chain, now: time.Now(), warn: c.warn, cas: cas, host: c.host, usage: c.usage}
	if key != "" {
		data, err := readInput(key, maxInput)
		if err != nil {
			return nil, usagef("--key %q: %w", key, err)
		}
		signer, err := decodeKey(data)
		if err != nil {
			return nil, usagef("--key %q: %w", key, err)
		}
		j.key, j.keyPath = signer.Public(), key
	}
	return newReport(target, kind, &j), nil
}

func newReport(target, kind string, j *judge) *report {
	r := &report{Target: target, Kind: kind, Findings: j.findings()}
	for _, cert := range j.chain {
		r.Certificates = append(r.Certificates, viewCert(cert, j.now))
	}
	return r
}

func readCerts(path string) ([]*x509.Certificate, error) {
	data, err := readInput(path, maxInput)
	if err != nil {
		return nil, err
	}
	return decodeCerts(data)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
