package certscmd

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
)

// reasons are those of RFC 5280, section 5.3.1, that are for good and concern
// an end entity.
var reasons = map[string]int{
	"unspecified": 0, "keyCompromise": 1, "affiliationChanged": 3, "superseded": 4,
	"cessationOfOperation": 5, "privilegeWithdrawn": 9,
}

func reasonCode(name string) (int, error) {
	code, ok := reasons[name]
	if !ok {
		return 0, fmt.Errorf("reason %q is unknown; use one of %s", clean(name), reasonNames())
	}
	return code, nil
}

func reasonNames() string { return strings.Join(slices.Sorted(maps.Keys(reasons)), ", ") }

type revoke struct {
	streams cli.Streams
	ca      string
	serials []string
	reason  string
	output  cli.Format
}

func newRevoke(streams cli.Streams) *cobra.Command {
	c := &revoke{streams: streams}
	cmd := &cobra.Command{
		Use:   "revoke [CERT...]",
		Short: "Revoke certificates",
		Long: `Record certificates as revoked: files, directories that "grpcx certs issue" made,
or serial numbers. It is for good, and nothing is revoked unless all are known.
Peers learn of it from the next "grpcx certs crl".

Exit codes: 0 done, also if it was revoked before, 1 failed, 2 wrong arguments or
input and nothing was done.`,
		Example: `  grpcx certs revoke --ca ca --reason keyCompromise api
  grpcx certs revoke --ca ca web/tls.crt`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args) },
	}
	caFlag(cmd, &c.ca)
	f := cmd.Flags()
	f.StringSliceVar(&c.serials, "serial", nil, "serial number in hexadecimal, may be repeated")
	f.StringVar(&c.reason, "reason", "unspecified", "why: "+reasonNames())
	choices(cmd, "reason", slices.Sorted(maps.Keys(reasons))...)
	cli.OutputVar(cmd, &c.output)
	return cmd
}

// A revokedView is one revocation in JSON.
type revokedView struct {
	Serial string    `json:"serial"`
	Name   string    `json:"name"`
	At     time.Time `json:"revoked_at"`
	Reason string    `json:"reason"`
	Before bool      `json:"was_revoked_before"`
}

func (c *revoke) run(ctx context.Context, args []string) error {
	if _, err := reasonCode(c.reason); err != nil {
		return usage(err)
	}
	if len(args)+len(c.serials) == 0 {
		return usagef("no certificate is named; name a file, a directory or a --serial")
	}
	a, err := openAuthority(ctx, c.ca)
	if err != nil {
		return err
	}
	defer a.close()
	records, err := c.find(a, args)
	if err != nil {
		return usage(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	views := make([]revokedView, 0, len(records))
	for _, r := range records {
		before := r.Revoked != nil
		if !before {
			r.Revoked = &revocation{At: now, Reason: c.reason}
		}
		views = append(views, revokedView{r.Serial, r.Name, r.Revoked.At, r.Revoked.Reason, before})
	}
	if err := a.save(); err != nil {
		return err
	}
	if c.output == cli.JSON {
		return writeJSON(c.streams, views)
	}
	for _, v := range views {
		word := "revoked"
		if v.Before {
			word = "was revoked before"
		}
		printf(c.streams, "%s %s: %s at %s (%s)\n", v.Serial, clean(v.Name), word, stamp(v.At), v.Reason)
	}
	return nil
}

// remember adds a certificate that the authority signed but the index does not
// know: it may be older than the backup that the index was restored from.
func (a *authority) remember(cert *x509.Certificate) {
	if a.index.find(cert.SerialNumber) == nil {
		a.index.add(newRecord(cert, strings.Join(sanTexts(cert), ", "), issuedAt(cert)))
	}
}

// find returns the records of all that is named.
func (c *revoke) find(a *authority, args []string) ([]*record, error) {
	var p problems
	var found []*record
	add := func(what string, serial *big.Int) {
		r := a.index.find(serial)
		if r == nil {
			p.addf("%s is not in the index of --ca %q: it has expired, or another authority issued it; check both, or name its file", what, a.dir)
		} else if !slices.Contains(found, r) {
			found = append(found, r)
		}
	}
	for _, s := range c.serials {
		n, err := parseSerial(s)
		if err != nil {
			p.add(err)
			continue
		}
		add("serial number "+serialText(n), n)
	}
	for _, path := range args {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			path = filepath.Join(path, certFile)
		}
		data, err := readInput(path, maxInput)
		if err != nil {
			p.addf("%q: %v", path, err)
			continue
		}
		certs, err := decodeCerts(data)
		switch {
		case err != nil:
			p.addf("%q: %v", path, err)
		case certs[0].CheckSignatureFrom(a.cert) != nil:
			p.addf("%q was not issued by --ca %q; name its authority", path, a.dir)
		case certs[0].IsCA:
			p.addf("%q is the authority itself; stop trusting it where it is installed", path)
		default:
			a.remember(certs[0])
			add(fmt.Sprintf("%q", path), certs[0].SerialNumber)
		}
	}
	return found, p.err()
}
