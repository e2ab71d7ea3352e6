// Package healthx serves the gRPC health protocol (grpc.health.v1: Check,
// Watch and List) and the HTTP probes of Kubernetes from the results of
// background dependency checks.
//
// A [Registry] holds one status per name and the checks that decide it. It
// works with any *grpc.Server:
//
//	health := healthx.NewRegistry()
//	health.AddService("acme.greet.v1.Greeter")
//	if err := health.AddCheck("postgres", db.PingContext); err != nil {
//		return err
//	}
//	health.Register(server)
//	go health.Run(ctx)
//
// # Names
//
//   - "" and "readiness" are one entry: may traffic come here?
//   - "liveness" is SERVING from Run on. Checks and drain never change it,
//     so that a database outage does not restart the process.
//   - "startup" turns SERVING when every required check that affects
//     readiness has succeeded once, and stays so until the drain.
//   - One entry per service given to [Registry.AddService].
//
// Everything is NOT_SERVING before [Registry.Run].
//
// # When an entry is SERVING
//
// An entry serves when Run has been called, the drain has not begun, its
// switch is on (see [Registry.SetServing]) and none of its checks is in the
// way. A failing check is always in the way. A check without a result yet is
// in the way of entries that have never served: nothing becomes SERVING on a
// dependency that was never seen healthy, and adding a check to a live server
// does not interrupt it.
//
// A check affects readiness and every service, unless [Services] names what
// it affects; an [Informational] one is reported and affects nothing.
//
// # Checks
//
// A check is any func(context.Context) error. [Ping], [Conn], [TCP], [HTTP]
// and [DiskSpace] make the common ones. Their errors name the dependency, what
// is wrong and what to look at, and leave out userinfo and queries of URLs.
// They leave nothing open between two runs.
//
// A check that comes and goes does not take the status with it each time: see
// [FailureThreshold] and [SuccessThreshold].
//
// # HTTP
//
// [Registry.Handler] answers /livez, /readyz and /startupz in the format of
// kube-apiserver, from the same statuses.
//
// # Probes cost nothing
//
// A probe never runs a check and never waits for one. Check, Watch and the
// "ok" of an HTTP probe are read from an immutable snapshot without locking;
// checks run in the background, each at its own interval, never twice at a
// time. The text of a check's error reaches the log, the observers and
// [Registry.Report], never a probe.
//
// # Shutting down
//
// Call [Registry.Drain] first: Watch streams learn NOT_SERVING and stay open.
// Ending them at that point would make grpc-go clients open new ones in a
// tight loop, because their backoff restarts with every message received.
// Call [Registry.Close] together with GracefulStop, which otherwise waits for
// the Watch streams for ever:
//
//	health.Drain()
//	time.Sleep(delay) // clients and load balancers move away
//	stopped := make(chan struct{})
//	go func() { server.GracefulStop(); close(stopped) }()
//	health.Close()
//	select {
//	case <-stopped:
//	case <-time.After(timeout):
//		server.Stop()
//	}
//
// The protocol is described in
// https://github.com/grpc/grpc/blob/master/doc/health-checking.md and, for
// clients, in gRFC A17.
package healthx
