// Command client greets with mutual TLS, and survives a restart of the server:
// it leaves a server whose health is NOT_SERVING, waits for one that serves, and
// repeats calls that found none. Its certificate may rotate meanwhile.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/health" // what healthCheckConfig needs

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

const serviceConfig = `{
	"loadBalancingConfig": [{"round_robin": {}}],
	"healthCheckConfig": {"serviceName": "greet.v1.Greeter"},
	"methodConfig": [{
		"name": [{"service": "greet.v1.Greeter"}], "timeout": "10s", "waitForReady": true,
		"retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 2,
			"retryableStatusCodes": ["UNAVAILABLE"]}
	}]
}`

func main() {
	addr := flag.String("addr", "127.0.0.1:50051", "server; dns:///name:port for all addresses of a name")
	calls := flag.Int("n", 3, "number of calls")
	every := flag.Duration("every", time.Second, "time between calls")
	flag.Parse()
	certs, err := devcert.Dir("certs") // in production: tlsx.Files with Usage: tlsx.ForClient
	if err != nil {
		log.Fatal(err)
	}
	identity, err := tlsx.NewReloader(certs.ClientFiles())
	if err != nil {
		log.Fatal(err)
	}
	go identity.Run(context.Background())
	conn, err := grpc.NewClient(*addr, grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithTransportCredentials(grpcx.ClientCredentials(identity, tlsx.ServerName("localhost"))))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("It needs a server, which may be restarted meanwhile: go -C examples run ./minimal")
	for range *calls {
		reply, err := greet.NewGreeterClient(conn).Greet(context.Background(), &greet.GreetRequest{Name: "Ada"})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(reply.GetGreeting())
		time.Sleep(*every)
	}
}
