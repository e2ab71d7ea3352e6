package certscmd

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/tlsx"
)

type renew struct {
	streams    cli.Streams
	ca         string
	at, jitter float64
	every      time.Duration
	lifetime   time.Duration
	force      bool
	loop       bool
	output     cli.Format
}

func newRenew(streams cli.Streams) *cobra.Command {
	c := &renew{streams: streams}
	cmd := &cobra.Command{
		Use:   "renew DIR...",
		Short: "Renew certificates before they expire",
		Long: `Renew the certificates in directories that "grpcx certs issue" made: the same
names, usage, lifetime and kind of key, with a new key. The three files of a
directory are swapped at once, so that a server with a tlsx.Reloader goes over to
them without a failed call.

A certificate is due after a share of its life, two thirds unless --at says
otherwise, less a random part of up to --jitter so that many do not come at once.
One that is not due is left alone, unless --force. A revoked one is never
renewed. One that would outlive its authority ends with it, and a warning. One
that fails keeps no other from being renewed.

With --loop the command stays and renews each time, as a sidecar; it ends at
SIGTERM or SIGINT with exit code 0. What fails then is told on stderr and tried
again. With -o json each line is one document.

Exit codes: 0 done or nothing due, 1 failed, 2 wrong arguments or input and
nothing was done.`,
		Example: `  grpcx certs renew --ca ca api
  grpcx certs renew --ca ca --force --lifetime 1h api web
  grpcx certs renew --ca ca --loop --at 0.5 --jitter 0.1 api`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, dirs []string) error { return c.run(cmd, dirs) },
	}
	caFlag(cmd, &c.ca)
	f := cmd.Flags()
	f.Float64Var(&c.at, "at", 2.0/3, "share of its life after which a certificate is due")
	f.Float64Var(&c.jitter, "jitter", 0.05, "share of its life by which it may be renewed earlier, at random")
	f.Var(lifetimeFlag{&c.every}, "every", "renew at this interval instead of --at and --jitter; needs --loop")
	f.Var(lifetimeFlag{&c.lifetime}, "lifetime", "another lifetime for the new certificates")
	f.BoolVar(&c.force, "force", false, "renew now, due or not")
	f.BoolVar(&c.loop, "loop", false, "stay and renew whenever due")
	f.Lookup("at").DefValue = "2/3"
	f.Lookup("every").DefValue = ""
	f.Lookup("lifetime").DefValue = ""
	cmd.MarkFlagsMutuallyExclusive("every", "at")
	cmd.MarkFlagsMutuallyExclusive("every", "jitter")
	cmd.MarkFlagsMutuallyExclusive("loop", "force")
	cli.OutputVar(cmd, &c.output)
	return cmd
}

func (c *renew) run(cmd *cobra.Command, dirs []string) error {
	var p problems
	if !(c.at > 0 && c.at < 1) {
		p.addf("--at %v is out of range; use a share between 0 and 1", c.at)
	}
	if !(c.jitter >= 0 && c.jitter < c.at) && c.at > 0 {
		p.addf("--jitter %v is out of range; use 0 or more, and less than --at", c.jitter)
	}
	if c.every != 0 && !c.loop {
		p.addf("--every needs --loop; add it")
	}
	targets := make([]*renewal, 0, len(dirs))
	for _, dir := range dirs {
		leaf, err := readSet(dir)
		if err != nil {
			p.add(err)
			continue
		}
		if life := c.lifeOf(leaf); c.every >= life {
			p.addf("%q: --every %v is not shorter than the certificate's lifetime, %v; shorten it, or give a longer --lifetime", dir, c.every, life)
		}
		targets = append(targets, &renewal{dir: dir})
	}
	if err := p.err(); err != nil {
		return usage(err)
	}
	// What is wrong shows now and for all, not when a renewal is due.
	if err := c.check(cmd.Context(), targets); err != nil {
		return err
	}
	if c.loop {
		return c.follow(cmd.Context(), targets)
	}
	for _, t := range targets { // one that fails keeps no other from being renewed
		if err := c.look(cmd.Context(), t, time.Now()); err != nil {
			p.add(err)
		}
	}
	if err := p.err(); err != nil {
		return failf("%w", err)
	}
	return nil
}

// check wants certificates that the authority can renew.
func (c *renew) check(ctx context.Context, targets []*renewal) error {
	a, err := openAuthority(ctx, c.ca)
	if err != nil {
		return err
	}
	defer a.close()
	var p problems
	for _, t := range targets {
		leaf, err := readSet(t.dir)
		if err == nil {
			_, err = c.requestOf(a, leaf, t.dir)
		}
		p.add(err)
	}
	return usage(p.err())
}

// A renewal is the state of one directory.
type renewal struct {
	dir    string
	serial string // of the certificate that due is for
	due    time.Time
}

// look renews one certificate if it is due, and sets when it is the next time.
func (c *renew) look(ctx context.Context, t *renewal, now time.Time) error {
	leaf, err := readSet(t.dir)
	if err != nil {
		return usage(err)
	}
	if !c.isDue(t, leaf, now) {
		if !c.loop {
			c.tell(renewView{Directory: t.dir, Due: t.due, Cert: viewCert(leaf, now)})
		}
		return nil
	}
	cert, err := c.renew(ctx, t, now)
	if err == nil && cert != nil {
		c.tell(renewView{Directory: t.dir, Renewed: true, Due: t.due, Cert: viewCert(cert, now)})
	}
	return err
}

func (c *renew) isDue(t *renewal, leaf *x509.Certificate, now time.Time) bool {
	c.plan(t, leaf)
	return c.force || !now.Before(t.due)
}

// renew signs a successor and swaps the directory, unless another process did so
// meanwhile. It tells nobody, who might keep it waiting with the lock.
func (c *renew) renew(ctx context.Context, t *renewal, now time.Time) (cert *x509.Certificate, err error) {
	a, err := openAuthority(ctx, c.ca)
	if err != nil {
		return nil, err
	}
	defer a.close()
	leaf, err := readSet(t.dir) // again, now under the lock
	if err != nil {
		return nil, usage(err)
	}
	if c.isDue(t, leaf, now) {
		s, err := c.succeed(a, leaf, t.dir)
		if err != nil {
			return nil, err
		}
		cert = s.cert
		c.plan(t, cert)
	}
	return cert, nil
}

// plan decides once for each certificate when it is due.
func (c *renew) plan(t *renewal, leaf *x509.Certificate) {
	serial := serialText(leaf.SerialNumber)
	if t.serial == serial {
		return
	}
	t.serial = serial
	from := issuedAt(leaf)
	if c.every > 0 {
		t.due = from.Add(c.every)
		return
	}
	share := c.at - rand.Float64()*c.jitter
	wait := time.Duration(share * float64(leaf.NotAfter.Sub(from))).Round(time.Second)
	t.due = from.Add(max(wait, time.Second)) // a tiny share must not make it spin
}

// succeed signs a successor and swaps the directory.
func (c *renew) succeed(a *authority, leaf *x509.Certificate, dir string) (*issued, error) {
	if r := a.index.find(leaf.SerialNumber); r != nil && r.Revoked != nil {
		return nil, failf("%q: the certificate was revoked at %s (%s); issue a new one if it may exist again", dir, stamp(r.Revoked.At), r.Revoked.Reason)
	}
	now := time.Now()
	r, err := c.requestOf(a, leaf, dir)
	if err != nil {
		return nil, usage(err)
	}
	if left := a.cert.NotAfter.Sub(now.Truncate(time.Second)); r.lifetime > left {
		if left < minLifetime {
			return nil, failf("--ca %q ends at %s; make a new authority", c.ca, stamp(a.cert.NotAfter))
		}
		r.lifetime = left
		_, _ = fmt.Fprintf(c.streams.Err, "grpcx: warning: %q ends with its authority at %s; make a new authority\n", dir, stamp(a.cert.NotAfter))
	}
	s, err := a.sign(r, now)
	if err != nil {
		return nil, err
	}
	files, err := a.set(s)
	if err != nil {
		return nil, err
	}
	if err := a.record(s); err != nil {
		return nil, err
	}
	if err := replaceSet(dir, files, now); err != nil {
		return nil, failf("write %q: %w", dir, explain(err))
	}
	return s, nil
}

// requestOf asks for what the certificate is.
func (c *renew) requestOf(a *authority, leaf *x509.Certificate, dir string) (request, error) {
	if leaf.CheckSignatureFrom(a.cert) != nil {
		return request{}, fmt.Errorf("%q: the certificate was not issued by --ca %q; name its authority, or issue a new one", dir, c.ca)
	}
	key, err := parseKeyAlgorithm(string(algorithmOf(leaf.PublicKey)))
	if err != nil {
		return request{}, fmt.Errorf("%q: %w", dir, err)
	}
	server, client := slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth), slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	u := tlsx.ForServer
	switch {
	case server && client:
		u = tlsx.ForBoth
	case client:
		u = tlsx.ForClient
	}
	name, err := filepath.Abs(dir)
	if err != nil {
		name = dir
	}
	return request{
		name: filepath.Base(name), rawSubject: leaf.RawSubject, usage: u,
		dns: leaf.DNSNames, ips: leaf.IPAddresses, uris: leaf.URIs,
		lifetime: c.lifeOf(leaf), key: key,
		keyEncipherment: leaf.KeyUsage&x509.KeyUsageKeyEncipherment != 0,
	}, nil
}

func (c *renew) lifeOf(leaf *x509.Certificate) time.Duration {
	if c.lifetime > 0 {
		return c.lifetime
	}
	return leaf.NotAfter.Sub(issuedAt(leaf))
}

// issuedAt is when a certificate of these authorities was issued.
func issuedAt(leaf *x509.Certificate) time.Time { return leaf.NotBefore.Add(backdate) }

// readSet returns the certificate of a directory.
func readSet(dir string) (*x509.Certificate, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("%q: %w", dir, explain(err))
	}
	if err := checkSet(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, certFile)
	data, err := readInput(path, maxInput)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", path, err)
	}
	certs, err := decodeCerts(data)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", path, err)
	}
	if life := certs[0].NotAfter.Sub(issuedAt(certs[0])); life < minLifetime {
		return nil, fmt.Errorf("%q is not a certificate that \"grpcx certs issue\" made; issue a new one", path)
	}
	return certs[0], nil
}

// A renewView is the state of one directory in JSON.
type renewView struct {
	Directory string    `json:"directory"`
	Renewed   bool      `json:"renewed"`
	Due       time.Time `json:"due"`
	Cert      certView  `json:"certificate"`
}

func (c *renew) tell(v renewView) {
	v.Due = v.Due.UTC().Truncate(time.Second)
	if c.output == cli.JSON {
		_ = json.NewEncoder(c.streams.Out).Encode(v) //nolint:errchkjson // a reader that went away does not stop renewals
		return
	}
	if !v.Renewed {
		printf(c.streams, "%s: not due before %s; valid until %s\n", v.Directory, stamp(v.Due), stamp(v.Cert.NotAfter))
		return
	}
	printf(c.streams, "%s: renewed for %s until %s; due again at %s\n", v.Directory, strings.Join(v.Cert.names(), ", "), stamp(v.Cert.NotAfter), stamp(v.Due))
}
