package doctorcmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// checkAddrs binds the addresses together, as a server does, and releases them.
func (e *examination) checkAddrs(ctx context.Context) {
	held := map[string]string{} // address by port
	for _, addr := range slices.Compact(slices.Sorted(slices.Values(e.opts.addrs))) {
		l, err := e.host.listen(ctx, addr)
		if err != nil {
			e.cannotListen(addr, err, held)
			continue
		}
		defer func() { _ = l.Close() }() // when all were tried
		_, port, _ := net.SplitHostPort(addr)
		if port == "0" {
			e.okf(bindID, addr, "%s can be listened on, at a free port that the system chooses anew each time", addr)
			continue
		}
		held[port] = addr
		e.okf(bindID, addr, "%s can be listened on", addr)
		e.checkEphemeral(addr)
	}
}

const bindID = "addr.bind"

func (e *examination) cannotListen(addr string, err error, held map[string]string) {
	_, port, _ := net.SplitHostPort(addr)
	text := fmt.Sprintf("%s cannot be listened on: %v", addr, cause(err))
	remedy := "name another address"
	_, unresolved := errors.AsType[*net.DNSError](err)
	switch {
	case errors.Is(err, syscall.EADDRINUSE) && held[port] != "":
		remedy = "leave out --addr " + held[port] + " if it is the same address, else stop what holds it, or name another port"
	case errors.Is(err, syscall.EADDRINUSE):
		remedy = "stop what holds it (a server that runs already?), or name another port"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		remedy = "use a port of 1024 or above, or give the process CAP_NET_BIND_SERVICE"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		remedy = "name an address of this machine, or none for all: " + allOf(addr)
	case unresolved:
		remedy = "name an IP address, or none for all: " + allOf(addr)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		remedy = "raise the limit of open files"
	}
	e.fail(bindID, addr, text, remedy)
}

// cause is the error without the address, which was said.
func cause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

func allOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return ":" + port
}

// checkEphemeral warns of a port that any outgoing connection may take while
// the server is down.
func (e *examination) checkEphemeral(addr string) {
	first, last, ok := e.host.ephemeral()
	_, text, _ := net.SplitHostPort(addr)
	port, err := strconv.Atoi(text)
	if !ok || err != nil || port < first || port > last {
		return
	}
	const reserved = "sys/net/ipv4/ip_local_reserved_ports"
	if inRanges(e.host.line("proc/"+reserved), port) {
		return
	}
	e.warn("addr.ephemeral", "/proc/"+portRange,
		fmt.Sprintf("%s: outgoing connections use the ports %d to %d, so one may hold port %d when the server starts", addr, first, last, port),
		fmt.Sprintf("sysctl -w net.ipv4.ip_local_reserved_ports=%d, or use a port below %d", port, first))
}

// inRanges reads "8080,9000-9100".
func inRanges(list string, port int) bool {
	for part := range strings.SplitSeq(list, ",") {
		low, high, found := strings.Cut(part, "-")
		if !found {
			high = low
		}
		first, err1 := strconv.Atoi(low)
		last, err2 := strconv.Atoi(high)
		if err1 == nil && err2 == nil && first <= port && port <= last {
			return true
		}
	}
	return false
}
