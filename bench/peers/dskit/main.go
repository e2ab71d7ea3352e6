// Command dskit serves with dskit.
package main

import (
	"flag"

	"github.com/go-kit/log/level"
	dskitlog "github.com/grafana/dskit/log"
	dskit "github.com/grafana/dskit/server"

	"github.com/grpcx-go/sdk/bench/server"
)

func main() { server.Main(server.Stack{Name: "dskit", Serve: serveDskit}) }

// serveDskit has the defaults, a log of errors, and an HTTP listener that
// nobody uses.
func serveDskit(env *server.Env) error {
	server.SetTelemetry(server.Sampling)
	var cfg dskit.Config
	flags := flag.NewFlagSet("dskit", flag.ContinueOnError)
	cfg.RegisterFlags(flags)
	if err := flags.Parse([]string{"-log.level=error"}); err != nil {
		return err
	}
	addr, err := env.Addr()
	if err != nil {
		return err
	}
	cfg.GRPCListenAddress, cfg.GRPCListenPort = addr.IP.String(), addr.Port
	cfg.HTTPListenAddress, cfg.HTTPListenPort = addr.IP.String(), 0
	cfg.GRPCOptions = env.Options()
	cfg.Log = level.NewFilter(dskitlog.NewGoKitWithWriter(dskitlog.LogfmtFormat, env.LogFile), cfg.LogLevel.Option)
	srv, err := dskit.New(cfg)
	if err != nil {
		return err
	}
	server.Register(srv.GRPC)
	return srv.Run()
}
