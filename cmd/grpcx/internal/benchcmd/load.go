package benchcmd

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
)

// What the client keeps up, the same on every machine.
const (
	connections   = 4 // to a server, and handshakes at a time
	callsInFlight = 8 // on each connection; of streams one
)

// idleConnections are opened to see what they take. Tests have fewer.
var idleConnections = 200

// callTimeout is the deadline of every call and handshake. None comes near it
// but on a machine that stopped.
const callTimeout = 20 * time.Second

// load is what the client does with a server.
type load struct {
	name  string
	title string
	unit  string // what is counted
	tls   bool
	// open prepares a load that goes on for a while; nil is the load of idle
	// connections, which is counted and not timed.
	open func(context.Context, *process) (*session, error)
}

// idle reports whether what stays in use counts, and not what it takes.
func (l load) idle() bool { return l.open == nil }

// allLoads returns them in the order of the report.
func allLoads() []load {
	return []load{
		{name: "unary-1k", title: "unary calls, 1 KiB each way, plaintext", unit: "call", open: openUnary},
		{name: "unary-1k-tls", title: "the same with TLS", unit: "call", tls: true, open: openUnary},
		{name: "stream-1m", title: "messages on open streams, 1 MiB each way, plaintext", unit: "MiB", open: openStreams},
		{name: "stream-1m-tls", title: "the same with TLS", unit: "MiB", tls: true, open: openStreams},
		{name: "handshake-full", title: "new connections, up to the HTTP/2 settings", unit: "connection", tls: true, open: openHandshakes},
		{name: "handshake-resumed", title: "the same with a session ticket", unit: "connection", tls: true, open: openResumed},
		{name: "idle", title: "memory of idle connections, plaintext", unit: "connection"},
		{name: "idle-tls", title: "the same with TLS", unit: "connection", tls: true},
	}
}

// listing is for the help.
func listing(loads []load) string {
	var b strings.Builder
	for _, l := range loads {
		fmt.Fprintf(&b, "  %-18s %s\n", l.name, l.title)
	}
	return b.String()
}

// selectLoads returns the loads that match one of the patterns, which have the
// syntax of path.Match. No pattern is all of them.
func selectLoads(patterns string) ([]load, error) {
	all := allLoads()
	if patterns == "" {
		return all, nil
	}
	keep := map[string]bool{}
	for pattern := range strings.SplitSeq(patterns, ",") {
		pattern = strings.TrimSpace(pattern)
		matched := false
		for _, l := range all {
			ok, err := path.Match(pattern, l.name)
			if err != nil {
				return nil, cli.Usagef("bench: --only: pattern %q: %w; * stands for any text, and [ needs its ]", pattern, err)
			}
			if ok {
				keep[l.name], matched = true, true
			}
		}
		if !matched {
			return nil, cli.Usagef("bench: --only: no load matches %q; use names or patterns of: %s", pattern, names(all))
		}
	}
	var selected []load
	for _, l := range all {
		if keep[l.name] {
			selected = append(selected, l)
		}
	}
	return selected, nil
}

func names(loads []load) string {
	list := make([]string, len(loads))
	for i, l := range loads {
		list[i] = l.name
	}
	return strings.Join(list, ", ")
}
