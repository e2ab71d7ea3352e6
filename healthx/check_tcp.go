package healthx

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
)

// TCP returns a check for [Registry.AddCheck] that passes when a TCP
// connection to addr, host:port, can be made. The connection is closed at once
// and carries nothing. That shows a listener and not that anything behind it
// works, and some servers log each such connection: where the dependency has a
// client, [Ping] or [Conn] says more.
func TCP(addr string) func(context.Context) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" || port == "" || strings.ContainsAny(addr, "@/") {
		// The text is not shown: a URL pasted here may hold a password.
		return failing(errors.New("tcp: the address is not host:port; give both and nothing else, as in \"postgres:5432\""))
	}
	return func(ctx context.Context) error {
		dialer := net.Dialer{KeepAlive: -1}
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err != nil {
			return fmt.Errorf("tcp %s: %w; check that the dependency listens there and may be reached from here", addr, err)
		}
		_ = conn.Close()
		return nil
	}
}
