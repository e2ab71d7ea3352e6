package tlsx_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// A server whose certificate is replaced while it runs.
func ExampleReloader() {
	base, err := os.MkdirTemp("", "tls")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(base) }()
	issue := func(version string) (dir string) {
		dir = filepath.Join(base, version)
		if _, err := devcert.Dir(dir); err != nil {
			fmt.Println(err)
		}
		return dir
	}
	current := filepath.Join(base, "current")
	_ = os.Symlink(issue("v1"), current)

	reloader, err := tlsx.NewReloader(tlsx.Files{
		Cert:     filepath.Join(current, "server.crt"),
		Key:      filepath.Join(current, "server.key"),
		ClientCA: filepath.Join(current, "ca.crt"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error)
	go func() { done <- reloader.Run(ctx) }()

	// Any TLS server: each handshake uses the newest generation.
	listener, err := tls.Listen("tcp", "127.0.0.1:0", tlsx.ServerConfig(reloader))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("serving with TLS:", listener.Addr().(*net.TCPAddr).IP)

	changed := reloader.Changed()
	_ = os.Symlink(issue("v2"), current+".new")
	_ = os.Rename(current+".new", current)
	<-changed
	fmt.Println("generation:", reloader.Current().Generation())
	fmt.Println("degraded:", reloader.Status().Degraded)

	_ = listener.Close()
	cancel()
	fmt.Println("stopped:", <-done)
	// Output:
	// serving with TLS: 127.0.0.1
	// generation: 2
	// degraded: false
	// stopped: <nil>
}
