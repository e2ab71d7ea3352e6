package grpcx_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
)

// Only reading is served, and only to those who know where they are.
func TestAdminRefuses(t *testing.T) {
	srv := grpcxtest.New(t, grpcx.WithAdminAddr("localhost:0"))
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, "CONNECT", "PROPFIND"} {
		p, err := ask(t, srv.AdminAddr(), "/debug/vars", func(r *http.Request) { r.Method = method })
		assert.NoError(t, err)
		assert.Equal(t, p.code, http.StatusMethodNotAllowed, method)
		assert.Equal(t, p.header.Get("Allow"), "GET, HEAD")
	}
	assert.Contains(t, say(t, srv.AdminAddr(), "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"), "405")

	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:6060": 200, "localhost.:1": 200, "127.0.0.1": 200, "127.0.0.1:1": 200,
		"10.0.0.7:6060": 200, "[::1]": 200, "[::1]:6060": 200, "[fe80::1%25eth0]:1": 200,
		"evil.example": 421, "evil.example:6060": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421,
		"0x7f000001": 421, "127.1": 421,
	} {
		answer := say(t, srv.AdminAddr(), "GET /livez HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		assert.Contains(t, answer, fmt.Sprintf("HTTP/1.1 %d ", want))
	}
	for _, host := range []string{"a:b:c", "localhost:1@evil.example", "localhost evil.example", "localhost/"} {
		answer := say(t, srv.AdminAddr(), "GET /livez HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		assert.Contains(t, answer, "HTTP/1.1 4") // net/http refuses some of them itself
	}
	assert.Contains(t, say(t, srv.AdminAddr(), "GET http://evil.example/livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"), "421")
	assert.Contains(t, say(t, srv.AdminAddr(), "GET /livez HTTP/1.0\r\n\r\n"), "200 OK")
}

// TestAdminServesItsName: the host that WithAdminAddr names is served too.
func TestAdminServesItsName(t *testing.T) {
	name, err := hostname()
	if err != nil {
		t.Skipf("this machine has no name of its own for a loopback address: %v", err)
	}
	srv := grpcxtest.New(t, grpcx.WithAdminAddr(name+":0"))
	assert.Contains(t, say(t, srv.AdminAddr(), "GET /livez HTTP/1.1\r\nHost: "+strings.ToUpper(name)+":1\r\nConnection: close\r\n\r\n"), "200 OK")
	assert.Contains(t, say(t, srv.AdminAddr(), "GET /livez HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n"), "421")
}

// hostname finds another name than localhost for a loopback address.
func hostname() (string, error) {
	for _, name := range []string{"ip6-localhost", "localhost.localdomain"} {
		if addrs, err := net.LookupHost(name); err == nil && net.ParseIP(addrs[0]).IsLoopback() {
			return name, nil
		}
	}
	return "", io.EOF
}

// say writes raw bytes to a port and returns what comes back until it closes,
// or the answer's head where it does not.
func say(t *testing.T, addr net.Addr, text string) string {
	t.Helper()
	conn := dialTCP(t, addr.String())
	defer conn.Close()
	assert.NoError(t, conn.SetDeadline(time.Now().Add(childLimit)))
	_, err := io.WriteString(conn, text)
	assert.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	assert.NoError(t, err, text)
	return line
}

// Headers are bounded in size.
func TestAdminHugeHeaders(t *testing.T) {
	srv := grpcxtest.New(t, withAdmin())
	for size, want := range map[int]int{7 << 10: http.StatusOK, 9 << 10: http.StatusRequestHeaderFieldsTooLarge, 200 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		p, err := ask(t, srv.AdminAddr(), "/livez", func(r *http.Request) { r.Header.Set("X-Huge", strings.Repeat("x", size)) })
		if err != nil {
			// The server hung up before the client had written all.
			assert.True(t, want != http.StatusOK, err.Error())
			continue
		}
		assert.Equal(t, p.code, want, fmt.Sprint(size))
	}
	assert.Equal(t, get(t, srv.AdminAddr(), "/livez").code, http.StatusOK)
}

// A client that is slow to ask is cut off, and one that sends a body without
// end is answered.
func TestAdminSlowClients(t *testing.T) {
	t.Parallel()
	srv := grpcxtest.New(t, withAdmin())
	slow := dialTCP(t, srv.AdminAddr().String())
	defer slow.Close()
	_, err := io.WriteString(slow, "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
	assert.NoError(t, err)
	begin := time.Now()
	assert.NoError(t, slow.SetDeadline(begin.Add(childLimit)))
	_, err = io.ReadAll(slow)
	assert.NoError(t, err)
	took := time.Since(begin)
	assert.True(t, took > 4*time.Second && took < 15*time.Second, took.String())

	assert.Contains(t, say(t, srv.AdminAddr(), "GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nxxx"), "200 OK")
}

// Connections above the bound are closed at once.
func TestAdminConnections(t *testing.T) {
	var log logBuffer
	srv := grpcxtest.New(t, withAdmin(), log.option())
	for range 64 {
		conn := dialTCP(t, srv.AdminAddr().String())
		defer conn.Close()
	}
	waitFor(t, "a full house", func() bool {
		conn := dialTCP(t, srv.AdminAddr().String())
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		_, err := conn.Read(make([]byte, 1))
		return err == io.EOF
	})
	assert.Contains(t, log.String(), "close idle connections: the admin listener has room for 64")
}

// Whoever hangs on the admin listener does not hold up the end, and no
// goroutine outlives it, which TestMain checks.
func TestAdminClientsCannotHoldTheDrain(t *testing.T) {
	srv := grpcxtest.New(t, withAdmin(), grpcx.WithDrain(grpcx.Drain{Delay: -1, Timeout: time.Second, Stop: childLimit}))
	addr := srv.AdminAddr().String()
	for _, text := range []string{
		"",
		"GET /livez HTTP/1.1\r\nHost: local",
		"GET /debug/pprof/profile?seconds=60 HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /debug/pprof/trace?seconds=60 HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /settings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n",
	} {
		conn := dialTCP(t, addr)
		defer conn.Close()
		_, err := io.WriteString(conn, text)
		assert.NoError(t, err)
	}
	waitFor(t, "both recordings", func() bool {
		return strings.Count(get(t, srv.AdminAddr(), "/debug/pprof/goroutine?debug=2").body, "grpcx.record(") == 2
	})
	begin := time.Now()
	assert.NoError(t, srv.Stop())
	took := time.Since(begin)
	assert.True(t, took < 5*time.Second, took.String())
}
