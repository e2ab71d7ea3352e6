package certscmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
)

type issue struct {
	streams  cli.Streams
	ca, out  string
	entry    entry
	lifetime time.Duration
	batch    string
	csr      string
	config   string
	output   cli.Format
}

func newIssue(streams cli.Streams) *cobra.Command {
	c := &issue{streams: streams, lifetime: defaultLifetime}
	cmd := &cobra.Command{
		Use:   "issue",
		Short: "Issue certificates",
		Long: `Issue a certificate into the directory --out: tls.crt, tls.key (mode 0600) and
ca.crt, as package tlsx and Kubernetes Secrets name them. The key is made here.

Names come from --dns, --ip, --uri or --spiffe; one is required, since peers do
not look at a common name. Profiles are server, client and both, for a workload
that serves and calls with one certificate.

--batch issues many, each into a directory of its name below --out. In YAML:

  defaults: {profile: server, lifetime: 24h, key: ecdsa-p256}
  certificates:
  - {name: api, dns: [api.example.com], ip: [10.0.0.1]}
  - {name: web, profile: client, spiffe: "spiffe://example.org/web"}

In CSV with a header of name, profile, common_name, dns, ip, uri, spiffe,
lifetime and key; lists are separated by blanks or semicolons. Nothing is issued
unless every entry is sound.

--cfssl-csr reads a request in cfssl's JSON: "CN", "hosts", "key" and "names" with
C, ST, L, O and OU. --cfssl-config reads its profiles: "signing" with "default"
and "profiles", each with "expiry" and "usages". Other fields are refused by name.

Exit codes: 0 done, 1 failed, 2 wrong arguments or input and nothing was done.`,
		Example: `  grpcx certs issue --ca ca --out api --dns api.example.com --ip 10.0.0.1
  grpcx certs issue --ca ca --out web --profile client --spiffe spiffe://example.org/web --lifetime 1h
  grpcx certs issue --ca ca --out fleet --batch fleet.yaml
  grpcx certs issue --ca ca --out legacy --cfssl-csr csr.json --cfssl-config config.json --profile server`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd) },
	}
	caFlag(cmd, &c.ca)
	f := cmd.Flags()
	f.StringVar(&c.out, "out", "", "directory of the certificate; with --batch, of all directories (required)")
	f.StringVar(&c.entry.Profile, "profile", "", "server, client or both; with --cfssl-config a profile of it (default server)")
	f.StringVar(&c.entry.CommonName, "cn", "", "common name, for people")
	f.StringSliceVar(&c.entry.DNS, "dns", nil, "DNS name, may be repeated")
	f.StringSliceVar(&c.entry.IP, "ip", nil, "IP address, may be repeated")
	f.StringSliceVar(&c.entry.URI, "uri", nil, "URI, may be repeated")
	f.StringVar(&c.entry.SPIFFE, "spiffe", "", "SPIFFE ID, such as spiffe://example.org/api")
	f.Var(lifetimeFlag{&c.lifetime}, "lifetime", "how long the certificate lasts, such as 90m, 24h or 90d")
	f.StringVar(&c.entry.Key, "key", string(defaultKey), "algorithm of the key: "+strings.Join(keyAlgorithms, ", "))
	f.StringVar(&c.batch, "batch", "", "file of many certificates, .yaml, .yml or .csv")
	f.StringVar(&c.csr, "cfssl-csr", "", "file of a request in cfssl's JSON")
	f.StringVar(&c.config, "cfssl-config", "", "file of profiles in cfssl's JSON")
	cmd.MarkFlagsMutuallyExclusive("batch", "cfssl-csr")
	choices(cmd, "key", keyAlgorithms...)
	_ = cmd.MarkFlagFilename("batch", "yaml", "yml", "csv")
	cli.OutputVar(cmd, &c.output)
	return cmd
}

func (c *issue) run(cmd *cobra.Command) error {
	if c.out == "" {
		return usagef("--out is missing; name the directory for the certificate")
	}
	c.entry.Lifetime = c.lifetime.String()
	requests, err := c.requests(cmd.Flags().Changed)
	if err != nil {
		return usage(err)
	}
	a, signed, err := c.sign(cmd.Context(), requests)
	if err != nil {
		return err
	}
	return c.deliver(cmd.Context(), a, signed)
}

// requests reads the flags and files.
func (c *issue) requests(changed func(string) bool) ([]request, error) {
	names := []string{"cn", "dns", "ip", "uri", "spiffe"}
	switch {
	case c.batch != "":
		if given := firstChanged(changed, append(names, "cfssl-config")...); given != "" {
			return nil, fmt.Errorf("--%s is for one certificate; write it into the --batch file", given)
		}
		data, err := readInput(c.batch, maxInput)
		if err != nil {
			return nil, fmt.Errorf("--batch %q: %w", c.batch, err)
		}
		requests, err := parseBatch(c.batch, data, c.entry)
		if err != nil {
			return nil, fmt.Errorf("--batch %q: %w", c.batch, err)
		}
		return requests, nil
	case c.csr != "":
		if given := firstChanged(changed, append(names, "key")...); given != "" {
			return nil, fmt.Errorf("--%s contradicts --cfssl-csr; write it into that file", given)
		}
		r, err := c.cfssl(changed)
		return []request{r}, err
	case c.config != "":
		return nil, errors.New("--cfssl-config needs --cfssl-csr; add it, or leave both out")
	}
	r, err := c.entry.request()
	r.name = c.nameOfOut()
	return []request{r}, err
}

func (c *issue) cfssl(changed func(string) bool) (request, error) {
	data, err := readInput(c.csr, maxInput)
	if err != nil {
		return request{}, fmt.Errorf("--cfssl-csr %q: %w", c.csr, err)
	}
	r, err := parseCSR(data)
	if err != nil {
		return request{}, fmt.Errorf("--cfssl-csr %q: %w", c.csr, err)
	}
	r.name = c.nameOfOut()
	if c.config == "" {
		r.lifetime = c.lifetime
		if c.entry.Profile != "" {
			err = r.usage.UnmarshalText([]byte(c.entry.Profile))
		}
		if err != nil {
			return request{}, fmt.Errorf("profile %q is unknown; use server, client or both, or name a --cfssl-config", clean(c.entry.Profile))
		}
		return r, nil
	}
	if changed("lifetime") {
		return request{}, errors.New("--lifetime contradicts --cfssl-config; set the profile's expiry")
	}
	if data, err = readInput(c.config, maxInput); err != nil {
		return request{}, fmt.Errorf("--cfssl-config %q: %w", c.config, err)
	}
	config, err := parseConfig(data)
	if err == nil {
		profile := c.entry.Profile
		if profile == "" {
			profile = "default"
		}
		err = config.apply(profile, &r)
	}
	if err != nil {
		return request{}, fmt.Errorf("--cfssl-config %q: %w", c.config, err)
	}
	return r, nil
}

func (c *issue) nameOfOut() string {
	path, err := filepath.Abs(c.out)
	if err != nil {
		path = c.out
	}
	return filepath.Base(path)
}

func (c *issue) dirOf(r request) string {
	if c.batch == "" {
		return c.out
	}
	return filepath.Join(c.out, r.name)
}

// sign signs all in memory, so that one that is not sound leaves no trace, and
// records them. The authority is not locked any more when it returns: whoever
// reads what deliver tells must not keep others from it.
func (c *issue) sign(ctx context.Context, requests []request) (*authority, []*issued, error) {
	a, err := openAuthority(ctx, c.ca)
	if err != nil {
		return nil, nil, err
	}
	defer a.close()
	var p problems
	for _, r := range requests {
		p.add(checkFree(c.dirOf(r)))
	}
	if err := p.few(); err != nil {
		return nil, nil, usage(err)
	}
	progress := c.progress("signed", len(requests))
	out := make([]*issued, 0, len(requests))
	for i, r := range requests {
		if ctx.Err() != nil {
			return nil, nil, failf("interrupted; nothing was issued")
		}
		progress(i)
		s, err := a.sign(r, time.Now())
		if err != nil {
			return nil, nil, err
		}
		out = append(out, s)
	}
	return a, out, a.record(out...)
}

// An issuedView is an issued certificate in JSON.
type issuedView struct {
	Name      string   `json:"name"`
	Directory string   `json:"directory"`
	Cert      certView `json:"certificate"`
}

// progress tells on stderr how far a batch is, once a second.
func (c *issue) progress(did string, total int) func(done int) {
	told := time.Now()
	return func(done int) {
		if time.Since(told) >= time.Second {
			told = time.Now()
			_, _ = fmt.Fprintf(c.streams.Err, "grpcx: %s %d of %d certificates\n", did, done, total)
		}
	}
}

// deliver writes the directories. When one fails, those before it are told as
// well; the others are recorded as issued, but nobody has their keys.
func (c *issue) deliver(ctx context.Context, a *authority, signed []*issued) (err error) {
	views := make([]issuedView, 0, len(signed))
	progress := c.progress("wrote", len(signed))
	width := len(strconv.Itoa(len(signed)))
	for i, s := range signed {
		dir := c.dirOf(s.request)
		if err = ctx.Err(); err != nil {
			err = failf("interrupted before %q (certificate %d of %d); issue that and those after it again", dir, i+1, len(signed))
			break
		}
		progress(i)
		var files set
		if files, err = a.set(s); err != nil {
			break
		}
		if err = createSet(dir, files, time.Now()); err != nil {
			_ = os.Remove(dir) // only if it is empty
			err = failf("write %q (certificate %d of %d): %w", dir, i+1, len(signed), explain(err))
			break
		}
		views = append(views, issuedView{s.request.name, dir, viewCert(s.cert, s.at)})
		if c.output != cli.JSON {
			printf(c.streams, "[%*d/%d] %s: %s certificate for %s until %s\n", width, i+1, len(signed),
				dir, s.request.usage, strings.Join(sanTexts(s.cert), ", "), stamp(s.cert.NotAfter))
		}
	}
	if c.output == cli.JSON {
		err = cmp.Or(err, writeJSON(c.streams, views))
	}
	return err
}

func firstChanged(changed func(string) bool, names ...string) string {
	for _, name := range names {
		if changed(name) {
			return name
		}
	}
	return ""
}
