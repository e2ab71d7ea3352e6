// Command before serves with go-zero.
package main

import (
	"flag"

	"github.com/zeromicro/go-zero/core/conf"
	"github.com/zeromicro/go-zero/zrpc"
	"google.golang.org/grpc"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/internal/migrate/greeter"
)

func main() {
	file := flag.String("f", "etc/greeter.yaml", "configuration")
	flag.Parse()
	var c zrpc.RpcServerConf
	conf.MustLoad(*file, &c)
	server := zrpc.MustNewServer(c, func(server *grpc.Server) {
		greet.RegisterGreeterServer(server, greeter.Server{})
	})
	defer server.Stop()
	server.Start()
}
