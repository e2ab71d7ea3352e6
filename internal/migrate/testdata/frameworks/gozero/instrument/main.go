// Command instrument serves with go-zero, and has the call path of grpcx in
// place of its middlewares, which the configuration switches off.
package main

import (
	"flag"

	"github.com/zeromicro/go-zero/core/conf"
	"github.com/zeromicro/go-zero/core/logx"
	"github.com/zeromicro/go-zero/zrpc"
	"google.golang.org/grpc"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/migrate/greeter"
)

func main() {
	file := flag.String("f", "etc/greeter.yaml", "configuration")
	flag.Parse()
	var c zrpc.RpcServerConf
	conf.MustLoad(*file, &c)
	server := zrpc.MustNewServer(c, func(server *grpc.Server) {
		services, err := grpcx.Instrument(server)
		logx.Must(err)
		greet.RegisterGreeterServer(services, greeter.Server{})
	})
	defer server.Stop()
	server.Start()
}
