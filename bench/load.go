package bench

import (
	"context"
	"time"
)

// Load is what clients do with a server.
type Load struct {
	Name  string // short, for flags and file names
	Title string
	Unit  string // what is counted
	TLS   bool   // with client certificates, TLS 1.3

	scale  float64 // of a chunk, beside that of unary calls
	paced  bool    // latencies count too
	memory bool    // what stays in use counts, not what it takes
	open   func(context.Context, *process) (session, error)
}

// session is a load in progress on one server.
type session interface {
	// run makes n calls and returns their latencies, where the load is one
	// that looks at them.
	run(n int) ([]time.Duration, error)
	close() error
}

// calls is the size of a chunk, where one of unary calls has n.
func (l Load) calls(n int) int { return max(1, int(float64(n)*l.scale)) }

// Loads returns all of them.
func Loads() []Load {
	return []Load{
		{Name: "unary-64", Title: "Unary, 64 B, with a deadline", Unit: "RPC", scale: 1, open: unary{size: 64}.open},
		{Name: "unary-1k", Title: "Unary, 1 KiB, with a deadline", Unit: "RPC", scale: 1, open: unary{size: 1 << 10}.open},
		{Name: "no-deadline", Title: "Unary, 64 B, without a deadline", Unit: "RPC", scale: 1, open: unary{size: 64, noDeadline: true}.open},
		{Name: "headers", Title: "Unary, 64 B, 12 more headers and traceparent", Unit: "RPC", scale: 1, open: unary{size: 64, headers: true}.open},
		{Name: "errors", Title: "Unary, 64 B, every tenth call fails", Unit: "RPC", scale: 1, open: unary{size: 64, failEvery: 10}.open},
		{Name: "stream-64", Title: "Streams open, 64 B each way", Unit: "message", scale: 4, open: pingPong{size: 64}.open},
		{Name: "stream-1m", Title: "Streams open, 1 MiB each way", Unit: "message", scale: 0.04, open: pingPong{size: 1 << 20}.open},
		{Name: "paced", Title: "Unary, 64 B, 500 calls per second", Unit: "RPC", scale: 0.4, paced: true, open: openPaced},
		{Name: "idle", Title: "Idle connections, plaintext", Unit: "connection", scale: 0.1, memory: true, open: openIdle},

		{Name: "mtls-64", Title: "Unary, 64 B, mutual TLS", Unit: "RPC", TLS: true, scale: 1, open: unary{size: 64}.open},
		{Name: "handshake", Title: "Connections, mutual TLS, full handshake", Unit: "connection", TLS: true, scale: 0.1, open: openHandshakes},
		{Name: "resumed", Title: "Connections, mutual TLS, resumed", Unit: "connection", TLS: true, scale: 0.1, open: openResumed},
		{Name: "mtls-idle", Title: "Idle connections, mutual TLS", Unit: "connection", TLS: true, scale: 0.1, memory: true, open: openIdle},
	}
}
