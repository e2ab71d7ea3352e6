package tlsx_test

import (
	"crypto/tls"
	"fmt"
	"net"

	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// Mutual TLS between a server and a client over loopback. With gRPC, pass the
// two configurations to credentials.NewTLS.
func Example() {
	authority, err := devcert.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	lis, err := tls.Listen("tcp", "127.0.0.1:0", tlsx.ServerConfig(authority.ServerSource()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer lis.Close()
	served := make(chan string)
	go func() {
		defer close(served)
		conn, err := lis.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		secured := conn.(*tls.Conn)
		if err := secured.Handshake(); err != nil {
			return
		}
		if id, ok := tlsx.PeerIdentity(secured.ConnectionState()); ok {
			served <- id.String()
		}
	}()

	conn, err := tls.Dial("tcp", lis.Addr().(*net.TCPAddr).String(),
		tlsx.ClientConfig(authority.ClientSource(), tlsx.ServerName("localhost")))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	fmt.Println("the server knows its client as", <-served)
	// Output: the server knows its client as client.localhost
}

// All problems are reported at once, each with its remedy.
func ExampleLoad() {
	_, err := tlsx.Load(tlsx.Files{Cert: "testdata/missing.crt"})
	fmt.Println(err)
	// Output:
	// tlsx: certificate "testdata/missing.crt": no such file or directory; check the path and that the volume is mounted
	// tlsx: private key: no file is named; set Files.Key
	// tlsx: client CA: none is given, so no client certificate can be verified; set Files.ClientCA to the CA bundle of the clients, or say Files.ClientAuth: tlsx.NoClientCert to serve clients without a certificate
}
