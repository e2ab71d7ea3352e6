package devcert_test

import (
	"fmt"
	"time"

	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// A set in memory. With gRPC, pass ServerSource to grpcx.WithTLS, or
// tlsx.ServerConfig of it to credentials.NewTLS.
func ExampleNew() {
	authority, err := devcert.New(devcert.Lifetime(time.Hour), devcert.Hosts("api.localhost"))
	if err != nil {
		fmt.Println(err)
		return
	}
	server := authority.ServerSource().Current()
	fmt.Println(server.Leaf().DNSNames, server.ClientAuth(), "development:", server.Development())

	_, err = devcert.New(devcert.Hosts("example.com"))
	fmt.Println(err)
	// Output:
	// [localhost api.localhost] require development: true
	// devcert: Hosts: "example.com" is not localhost, a name below it such as "api.localhost", or a loopback address; a development certificate is for one machine, use an authority of your own for others
}
