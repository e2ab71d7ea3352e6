// Command gozero serves with go-zero.
package main

import (
	"github.com/zeromicro/go-zero/core/conf"
	"github.com/zeromicro/go-zero/core/logx"
	"github.com/zeromicro/go-zero/zrpc"
	"google.golang.org/grpc"

	"github.com/grpcx-go/sdk/bench/server"
)

func main() { server.Main(server.Stack{Name: "go-zero", Serve: serveGoZero}) }

// serveGoZero has the defaults of goZeroConfig.
func serveGoZero(env *server.Env) error {
	server.SetTelemetry(server.Sampling) // its propagator; the tracer is go-zero's
	addr, err := env.Addr()
	if err != nil {
		return err
	}
	c, err := goZeroConfig(addr.String())
	if err != nil {
		return err
	}
	logx.SetWriter(logx.NewWriter(env.LogFile))
	srv, err := zrpc.NewServer(c, func(s *grpc.Server) { server.Register(s) })
	if err != nil {
		return err
	}
	srv.AddOptions(env.Options()...)
	srv.Start()
	return nil
}

// goZeroConfig has the defaults but for load shedding, which refuses calls on
// a busy machine, and for what the other stacks have alike: the ratio of traced
// calls, which is 100 % by default, and a log of errors.
func goZeroConfig(addr string) (zrpc.RpcServerConf, error) {
	var c zrpc.RpcServerConf
	if err := conf.FillDefault(&c); err != nil {
		return c, err
	}
	c.Name, c.ListenOn = "bench", addr
	c.CpuThreshold = 0
	c.Telemetry.Sampler = server.Sampling
	c.Log.Level = "error"
	return c, nil
}
