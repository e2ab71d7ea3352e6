// Package grpcx builds a [grpc.Server] that is production-grade by default:
// mutual TLS that follows its files, or an explicit decision against it, finite
// limits, panic recovery, an access log, health, and a drain that always ends.
//
//	srv, err := grpcx.New(grpcx.WithTLSFiles(tlsx.Files{
//		Cert: "/tls/tls.crt", Key: "/tls/tls.key", ClientCA: "/tls/ca.crt",
//	}))
//	if err != nil {
//		log.Fatal(err)
//	}
//	greetpb.RegisterGreeterServer(srv, greeter{})
//	if err := srv.Run(context.Background()); err != nil {
//		log.Fatal(err)
//	}
//
// # Options
//
// Options are applied in the order given, presets ([Options]) in place.
//
//   - A scalar: the last one wins.
//   - A config struct ([Limits], [Keepalive], [Drain]) merges field by field:
//     a zero field leaves the earlier value alone.
//   - Interceptors, checks, addresses, listeners and set-up hooks append.
//   - A set ([Without]) replaces.
//
// When all are applied, a zero field takes the default and a negative one
// means off or unlimited, where that is safe; where it is not, it is an error.
// Booleans are named so that false is the safe choice. [New] reports every
// problem at once, each as an [*OptionError] that names the option, the field
// and the remedy. Constructing an option does no I/O, never panics and never
// logs. docs/defaults.md lists every default.
//
// # Lifecycle
//
// [New], then RegisterService and [Server.Go], then [Server.Run] or
// [Server.Serve]. Run owns the process: it handles SIGTERM and SIGINT, and
// keeps GOMAXPROCS and GOMEMLIMIT in step with the container's limits. Serve is
// a component of a larger program and has no process-global effect. Both
// return only when the drain is over: nil after a complete one, a
// [*DrainError] when something had to be abandoned. docs/lifecycle.md has the
// steps and their bounds.
//
// # Probes and operators
//
// [WithCheck] adds health checks. The server has its own: "tls-certificate"
// fails readiness when the served certificate has expired; informational are
// "tls-certificate-renewal", which fails when a quarter of its life, or 30 days,
// is left, and with [Server.Run] "gc-pressure", which fails while the garbage
// collector uses too much CPU. Probes without a client certificate go to
// [WithProbeAddr], over TLS with [WithProbeTLS]. [WithAdminAddr] serves the same
// health over HTTP, profiles, variables and settings to operators.
//
// # The call path
//
// Registering a service weaves telemetry, recovery, access log, per-method
// policy and in-flight accounting around each method; there is no stats handler
// and no interceptor of ours around unary calls. From the outside in:
//
//	call record -> telemetry -> access log -> recovery -> deadline -> user interceptors -> handler
//
// Telemetry follows OpenTelemetry's semantic conventions for RPC, and goes to
// the SDK that the program sets up; docs/telemetry.md lists what is recorded.
//
// Interceptors given by option or inside [WithServerOptions] run in the order
// given, for health and reflection too. The one difference from bare grpc-go
// is that a failure to send a unary reply is not seen by telemetry and log.
package grpcx
