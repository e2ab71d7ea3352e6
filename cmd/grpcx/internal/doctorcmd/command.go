package doctorcmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/tlsx"
)

const long = `Doctor tells what the SDK would decide on this machine and why, and what would
stand in the way of a server here. Run it where the server is going to run: in
the same container, with the same environment, as the same user.

It looks at GOMAXPROCS, GOMEMLIMIT and GOGC and the variables that change them,
at control groups on every level and how hard their limits bite, CPU features,
page size and huge pages, the limit of open files and the connections that it
allows, at kernel settings, the clock and whether it is synchronised, at FIPS
140-3 mode, and at what the flags name: TLS files and addresses. It changes
nothing. The addresses are bound together for a moment and released; who else
holds one is not told. A Go program with a malformed GOMEMLIMIT ends before it
starts, and so does doctor.

Every finding has an id, a level (ok, warning or error), a text, a remedy and a
source: what was looked at. Several findings may have the same id.

-o json is one object: schema, result, errors, warnings and findings; what was
read as build, machine, container, limits, kernel, clock and server; what the
SDK decides as runtime; and tls, null unless good files were named. Sizes are in
bytes, and a memory limit of 9223372036854775807 is none. Keys, ids and levels
are stable within a schema, to which some may be added; the wording of texts,
remedies and reasons may change.

Exit codes:
  0  no errors; there may be warnings, unless --strict
  1  there are errors, or warnings with --strict
  2  wrong flags or arguments; nothing was looked at`

const example = `  # What the SDK would decide here, and what stands in its way
  grpcx doctor

  # The files and the address that a server is going to use
  grpcx doctor --cert tls.crt --key tls.key --client-ca ca.crt --addr 127.0.0.1:50051

  # With revocation lists, and a second address for the probes
  grpcx doctor --cert tls.crt --key tls.key --client-ca ca.crt --crl ca.crl --addr 127.0.0.1:50051 --addr 127.0.0.1:8086

  # For a script: warnings fail, too
  grpcx doctor --strict -o json`

// options are the flags.
type options struct {
	output     cli.Format
	strict     bool
	files      tlsx.Files
	clientAuth string
	addrs      []string
}

// New makes the command.
func New(streams cli.Streams) *cobra.Command { return newCommand(streams, system) }

// newCommand makes the command for a host, which is asked for when it runs.
func newCommand(streams cli.Streams, on func() host) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Tell what the SDK would decide on this machine, and what is in its way",
		Long:    long,
		Example: example,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cli.Usagef("doctor takes no arguments, but %q was given; name files and addresses with flags, see grpcx doctor --help", args[0])
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(cmd.Flags().Changed); err != nil {
				return err
			}
			return o.run(cmd.Context(), streams, on())
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&o.strict, "strict", false, "exit with 1 on warnings, too")
	flags.StringVar(&o.files.Cert, "cert", "", "PEM `file` of the server's certificate chain")
	flags.StringVar(&o.files.Key, "key", "", "PEM `file` of its private key")
	flags.StringVar(&o.files.ClientCA, "client-ca", "", "PEM `file` of the CAs of the clients")
	flags.StringVar(&o.clientAuth, "client-auth", "require", "`mode` of asking clients for certificates: require, verify-if-given or none")
	flags.StringArrayVar(&o.files.CRL, "crl", nil, "revocation list, a `file` or directory; may be repeated")
	flags.StringArrayVar(&o.addrs, "addr", nil, "`address` that the server is to listen on, host:port; may be repeated")
	cli.OutputVar(cmd, &o.output)
	_ = cmd.RegisterFlagCompletionFunc("client-auth", cobra.FixedCompletions([]string{"require", "verify-if-given", "none"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// check refuses what cannot be meant, before anything is looked at.
func (o *options) check(given func(flag string) bool) error {
	for _, f := range []struct{ flag, value string }{{"cert", o.files.Cert}, {"key", o.files.Key}, {"client-ca", o.files.ClientCA}} {
		if f.value == "" && given(f.flag) {
			return cli.Usagef("--%s is empty; name a file, or leave it out", f.flag)
		}
	}
	if err := o.files.ClientAuth.UnmarshalText([]byte(o.clientAuth)); err != nil {
		return cli.Usagef("--client-auth %q is unknown; use require, verify-if-given or none", o.clientAuth)
	}
	cert, key := o.files.Cert != "", o.files.Key != ""
	switch {
	case cert && !key:
		return cli.Usagef("--cert is given without --key; name the private key, too (the same file, if it holds both)")
	case key && !cert:
		return cli.Usagef("--key is given without --cert; name the certificate, too (the same file, if it holds both)")
	case !cert && (o.files.ClientCA != "" || len(o.files.CRL) > 0 || given("client-auth")):
		return cli.Usagef("--client-ca, --client-auth and --crl say how a server's certificate is used; add --cert and --key")
	}
	if o.files.ClientAuth == tlsx.NoClientCert && (o.files.ClientCA != "" || len(o.files.CRL) > 0) {
		return cli.Usagef("--client-auth none asks for no certificate, so --client-ca and --crl would never be used; leave them out, or use --client-auth require")
	}
	if o.files.ClientCA == "" && len(o.files.CRL) > 0 {
		return cli.Usagef("--crl is given without --client-ca, whose certificates it revokes; add --client-ca")
	}
	if slices.Contains(o.files.CRL, "") {
		return cli.Usagef("--crl is empty; name a file or directory")
	}
	for _, addr := range o.addrs {
		if err := checkAddr(addr); err != nil {
			return cli.Usagef("--addr %q %w; use host:port, for example 127.0.0.1:50051 or :50051", addr, err)
		}
	}
	return nil
}

func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		if bad, ok := errors.AsType[*net.AddrError](err); ok {
			return errors.New("is no address: " + bad.Err)
		}
		return errors.New("is no address")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("has the port %q, which is no number from 0 to 65535", port)
	}
	return nil
}

func (o *options) run(ctx context.Context, streams cli.Streams, h host) error {
	r := examine(ctx, h, o)
	if err := ctx.Err(); err != nil {
		return cli.Exit(cli.Failed, errors.New("doctor was interrupted; run it again"))
	}
	write := r.writeText
	if o.output == cli.JSON {
		write = r.writeJSON
	}
	if err := write(streams.Out); err != nil {
		return cli.Exit(cli.Failed, fmt.Errorf("the report cannot be written: %w; check where the output goes", err))
	}
	switch {
	case r.Errors > 0:
		return cli.Exit(cli.Failed, fmt.Errorf("doctor found %s; follow the remedies in the report", r.counts()))
	case r.Warnings > 0 && o.strict:
		return cli.Exit(cli.Failed, fmt.Errorf("doctor found %s, which count with --strict; follow the remedies in the report, or leave --strict out", r.counts()))
	}
	return nil
}
