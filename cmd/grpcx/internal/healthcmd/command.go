package healthcmd

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
)

// Exit codes besides those of every command. 3 and 4 are what
// grpc-health-probe means by them.
const (
	exitCall           = 3
	exitNotServing     = 4
	exitConnect        = 5
	exitTLS            = 6
	exitUnknownService = 7
)

const long = `Ask a server for its health (grpc.health.v1) and exit 0 only if it is SERVING.

ADDR is HOST:PORT, unix:PATH or unix-abstract:NAME. Proxies from the environment
are not used. The connection is in plaintext unless --tls or another TLS flag is
given; a server is verified against the CAs of --ca, or else of the system.

--timeout bounds everything: resolving the name, connecting, TLS and the call.
With --watch it bounds the first answer. From then on every change is a line,
a lost connection too, and is followed by a new attempt each second, until
SIGINT or SIGTERM; the exit code is that of the last line.

With -o json every answer, and every failure to get one, is an object on a line
of standard output.

Exit codes:
  0  SERVING
  1  interrupted before an answer, or the output could not be written
  2  wrong arguments or files; nothing was sent
  3  the call failed: no health service, refused, or not answered in time
  4  NOT_SERVING or UNKNOWN
  5  no connection: no such name, refused, or a peer that does not answer
  6  TLS failed: a certificate was refused by either side, or no common ground
  7  the server does not know the service

In a container without a shell this is an exec probe of Kubernetes, whose
timeoutSeconds is to be above --timeout, and a HEALTHCHECK of Docker, for which
every code but 0 is unhealthy:
  exec: {command: ["/grpcx", "health", "127.0.0.1:50051", "--timeout", "2s"]}
  HEALTHCHECK CMD ["/grpcx", "health", "127.0.0.1:50051", "--timeout", "2s"]

For users of grpc-health-probe: its exit codes 3 and 4 are the same here (but an
unknown service is 3 there and 7 here), its 1 is 2, its 2 is 5 or 6. Its flags
--addr, --connect-timeout, --rpc-timeout, --tls-ca-cert, --tls-client-cert,
--tls-client-key, --tls-server-name, --tls-no-verify, --user-agent, --rpc-header
and --gzip work, with two dashes. --v, --spiffe and --alts do not exist.`

const example = `  # The server as a whole
  grpcx health 127.0.0.1:50051

  # One service, as JSON
  grpcx health 127.0.0.1:50051 --service acme.greet.v1.Greeter -o json

  # TLS with the CAs of a file, by another name than the address
  grpcx health 127.0.0.1:50052 --ca /tls/ca.crt --server-name localhost --timeout 3s

  # Mutual TLS
  grpcx health 127.0.0.1:50053 --ca /tls/ca.crt --cert /tls/tls.crt --key /tls/tls.key

  # Follow a rollout
  grpcx health 127.0.0.1:50051 --watch`

// New makes the command.
func New(streams cli.Streams) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:               "health ADDR",
		Short:             "Ask a server for its health",
		Long:              long,
		Example:           example,
		Args:              cobra.ArbitraryArgs, // request explains what is wrong with them
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.args, o.given = args, cmd.Flags().Changed
			request, err := o.request()
			if err != nil {
				return err
			}
			printer := &printer{out: streams.Out, format: o.format, request: request}
			if o.watch {
				return watch(cmd.Context(), request, printer)
			}
			return check(cmd.Context(), request, printer)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&o.service, "service", "", "`name` to ask for; empty is the server as a whole")
	f.BoolVar(&o.watch, "watch", false, "print every change until interrupted")
	f.BoolVar(&o.tls, "tls", false, "use TLS; implied by the other TLS flags")
	f.StringVar(&o.ca, "ca", "", "PEM `file` of the CAs that verify the server (default those of the system)")
	f.StringVar(&o.cert, "cert", "", "PEM `file` of the client certificate, for mutual TLS")
	f.StringVar(&o.key, "key", "", "PEM `file` of its private key")
	f.StringVar(&o.serverName, "server-name", "", "`name` that the server's certificate must hold (default the host of ADDR)")
	f.BoolVar(&o.noVerify, "tls-no-verify", false, "accept any server certificate; to find faults only")
	f.DurationVar(&o.timeout, "timeout", time.Second, "bound on the whole, or on the first answer of --watch")
	cli.OutputVar(cmd, &o.format)

	f.StringVar(&o.addr, "addr", "", "")
	f.DurationVar(&o.connectTimeout, "connect-timeout", time.Second, "")
	f.DurationVar(&o.callTimeout, "rpc-timeout", time.Second, "")
	f.StringVar(&o.ca, "tls-ca-cert", "", "")
	f.StringVar(&o.cert, "tls-client-cert", "", "")
	f.StringVar(&o.key, "tls-client-key", "", "")
	f.StringVar(&o.serverName, "tls-server-name", "", "")
	f.StringVar(&o.userAgent, "user-agent", "", "")
	f.StringArrayVar(&o.headers, "rpc-header", nil, "")
	f.BoolVar(&o.gzip, "gzip", false, "")
	for _, name := range []string{
		"addr", "connect-timeout", "rpc-timeout", "tls-ca-cert", "tls-client-cert",
		"tls-client-key", "tls-server-name", "user-agent", "rpc-header", "gzip",
	} {
		_ = f.MarkHidden(name) // fails for an unknown flag only
	}
	return cmd
}
