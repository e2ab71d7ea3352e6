package certscmd

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
)

type crl struct {
	streams  cli.Streams
	ca, out  string
	lifetime time.Duration
	output   cli.Format
}

func newCRL(streams cli.Streams) *cobra.Command {
	c := &crl{streams: streams, lifetime: 7 * 24 * time.Hour}
	cmd := &cobra.Command{
		Use:   "crl",
		Short: "Make a certificate revocation list",
		Long: `Make a certificate revocation list (RFC 5280) of what was revoked and has not
expired, in PEM. Each has a higher number than the one before. Make one after
each revocation and well before the last one's lifetime ends: a stale list
refuses peers. A list of this authority in the file is replaced at once;
tlsx.Files.CRL names the file to a server.

Exit codes: 0 done, 1 failed, 2 wrong arguments or input and nothing was done.`,
		Example: `  grpcx certs crl --ca ca --out ca.crl
  grpcx certs crl --ca ca --out ca.crl --lifetime 24h -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context()) },
	}
	caFlag(cmd, &c.ca)
	cmd.Flags().StringVar(&c.out, "out", "", "file of the list (required)")
	cmd.Flags().Var(lifetimeFlag{&c.lifetime}, "lifetime", "how long the list is current, such as 24h or 7d")
	cli.OutputVar(cmd, &c.output)
	return cmd
}

// A crlView is a list in JSON.
type crlView struct {
	File       string    `json:"file"`
	Number     int64     `json:"number"`
	ThisUpdate time.Time `json:"this_update"`
	NextUpdate time.Time `json:"next_update"`
	Revoked    int       `json:"revoked"`
}

func (c *crl) run(ctx context.Context) error {
	if c.out == "" {
		return usagef("--out is missing; name the file for the list")
	}
	a, err := openAuthority(ctx, c.ca)
	if err != nil {
		return err
	}
	defer a.close()
	number, err := a.checkCRLFile(c.out)
	if err != nil {
		return usagef("--out %q %w", c.out, err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	entries, err := a.index.revoked(now)
	if err != nil {
		return failf("index of --ca %q: %w", c.ca, err)
	}
	// The number is spent before anybody sees it, so that none comes twice.
	a.index.CRLNumber = max(a.index.CRLNumber, number) + 1
	template := &x509.RevocationList{
		Number: big.NewInt(a.index.CRLNumber), ThisUpdate: now.Add(-backdate), NextUpdate: now.Add(c.lifetime),
		RevokedCertificateEntries: entries,
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, a.cert, a.key)
	if err != nil {
		return failf("sign the list: %w", err)
	}
	if err := a.save(); err != nil {
		return err
	}
	if err := replaceFile(c.out, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), 0o644); err != nil {
		return failf("write --out %q: %w", c.out, explain(err))
	}
	v := crlView{c.out, a.index.CRLNumber, template.ThisUpdate, template.NextUpdate, len(entries)}
	if c.output == cli.JSON {
		return writeJSON(c.streams, v)
	}
	printf(c.streams, "%s: list %d of %d revoked, current until %s\n", v.File, v.Number, v.Revoked, stamp(v.NextUpdate))
	return nil
}

// revoked lists what was revoked and did not expire long ago.
func (x *index) revoked(now time.Time) ([]x509.RevocationListEntry, error) {
	var out []x509.RevocationListEntry
	for _, r := range x.Certificates {
		if r.Revoked == nil || now.After(r.NotAfter.Add(keepExpired)) {
			continue
		}
		serial, err := parseSerial(r.Serial)
		if err != nil {
			return nil, err
		}
		code, err := reasonCode(r.Revoked.Reason)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", r.Serial, err)
		}
		out = append(out, x509.RevocationListEntry{SerialNumber: serial, RevocationTime: r.Revoked.At, ReasonCode: code})
	}
	return out, nil
}

// checkCRLFile refuses to replace what is not a list of this authority, such as
// a key. It returns the number of the list that is there: after the index was
// restored from a backup it may be higher than the index knows.
func (a *authority) checkCRLFile(path string) (number int64, err error) {
	if !lexists(path) {
		if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
			return 0, errors.New("is in no directory; make that first")
		}
		return 0, nil
	}
	data, err := readInput(path, maxIndex)
	if err != nil || len(data) == 0 {
		return 0, err
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "X509 CRL" {
		return 0, errors.New("is there and no list; name another file")
	}
	list, err := x509.ParseRevocationList(block.Bytes)
	switch {
	case err != nil:
		return 0, errors.New("is there and no valid list; name another file")
	case list.CheckSignatureFrom(a.cert) != nil:
		return 0, fmt.Errorf("is the list of another authority than --ca %q; name another file", a.dir)
	case list.Number == nil || !list.Number.IsInt64():
		return 0, nil
	}
	return list.Number.Int64(), nil
}
