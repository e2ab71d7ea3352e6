package certscmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
)

// problemsFound is the exit code of inspect when a certificate is unfit.
const problemsFound = 3

// New makes the command.
func New(streams cli.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certs",
		Short: "Make, renew, revoke and inspect certificates",
		Long: `Make, renew, revoke and inspect the certificates of servers and clients.

The authority is a directory: ca.crt, ca.key and index.json, which records what
was issued and revoked. A certificate is a directory with tls.crt, tls.key and
ca.crt, which a renewal replaces all at once, as Kubernetes does with a Secret.
Private keys have mode 0600 and are never printed.

A certificate's identity is its subject alternative names: DNS names, IP
addresses, and URIs such as a SPIFFE ID. The common name is none.

Exit codes: 0 done, 1 failed, 2 wrong arguments or input and nothing was done,
and of inspect 3, problems found.`,
		Example: `  grpcx certs init-ca --ca ca
  grpcx certs issue --ca ca --out api --dns api.example.com
  grpcx certs inspect api`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newInitCA(streams), newIssue(streams), newRenew(streams),
		newRevoke(streams), newCRL(streams), newInspect(streams))
	return cmd
}

// failf is an error that is not the caller's: exit code 1.
func failf(format string, args ...any) error {
	return cli.Exit(cli.Failed, fmt.Errorf(format, args...))
}

// usage makes an error the caller's, unless it already has an exit code.
func usage(err error) error {
	if _, coded := errors.AsType[*cli.Error](err); err == nil || coded {
		return err
	}
	return cli.Exit(cli.Usage, err)
}

// problems joins what is wrong on one line.
type problems []string

func (p *problems) addf(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

func (p *problems) add(err error) {
	if err != nil {
		*p = append(*p, err.Error())
	}
}

func (p problems) err() error { return p.first(len(p)) }

// few names the first five only.
func (p problems) few() error { return p.first(5) }

func (p problems) first(n int) error {
	switch more := len(p) - n; {
	case len(p) == 0:
		return nil
	case len(p) == 1:
		return errors.New(p[0])
	case more > 0:
		return fmt.Errorf("%d problems: %s; and %d more", len(p), strings.Join(p[:n], "; "), more)
	}
	return fmt.Errorf("%d problems: %s", len(p), strings.Join(p, "; "))
}

// caFlag adds --ca, the directory of the authority.
func caFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "ca", "ca", "directory of the certificate authority")
	_ = cmd.MarkFlagDirname("ca") // completion; fails for an unknown flag only
}

// choices completes the values of a flag.
func choices(cmd *cobra.Command, flag string, values ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, // fails for an unknown flag or a second time only
		cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// writeJSON writes one document.
func writeJSON(streams cli.Streams, v any) error {
	enc := json.NewEncoder(streams.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return failf("write the output: %w; check where it goes to", err)
	}
	return nil
}

// printf writes a line for people. It is the last thing that a command does, so
// that a reader who went away costs no work.
func printf(streams cli.Streams, format string, args ...any) {
	_, _ = fmt.Fprintf(streams.Out, format, args...)
}

// usagef is an error of the caller's: exit code 2.
func usagef(format string, args ...any) error { return cli.Usagef(format, args...) }

// cause is an error of package os without its path.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
