package grpcx

import "time"

// Limits bounds what peers may use of the server. The zero value leaves every
// default in place.
type Limits struct {
	// MaxRecvBytes is the largest message accepted, after decompression, in
	// bytes. It applies to each message, not to a stream as a whole. Default
	// 4 MiB; negative is unlimited. Larger messages end the call with
	// ResourceExhausted.
	MaxRecvBytes int `json:"max_recv_bytes" negative:"unlimited" doc:"largest message accepted, after decompression (bytes)"`
	// MaxSendBytes is the largest message sent, in bytes. Default 4 MiB, the
	// receive limit of a grpc-go client; negative is unlimited.
	MaxSendBytes int `json:"max_send_bytes" negative:"unlimited" doc:"largest message sent (bytes)"`
	// MaxHeaderBytes is the largest header list accepted, in bytes as RFC 9113
	// section 10.5.1 counts them; it is advertised to clients. Default 32 KiB.
	// A larger list resets the stream; one that still goes on in further
	// frames closes the connection.
	MaxHeaderBytes int `json:"max_header_bytes" doc:"largest header list accepted and advertised (bytes)"`
	// MaxConcurrentStreams is the number of calls that one connection may have
	// open, and the number of its handlers that may run. Default 250; negative
	// is unlimited. A grpc-go client queues further calls silently on its side,
	// so a client with more than this many long streams needs more connections.
	MaxConcurrentStreams int `json:"max_concurrent_streams" negative:"unlimited" doc:"open calls, and running handlers, per connection"`
	// MaxConnections is the number of open connections of all listeners
	// together; further ones are closed at once. The default is three quarters
	// of the soft RLIMIT_NOFILE, or 10,000 where there is no such limit;
	// negative is unlimited.
	MaxConnections int `json:"max_connections" negative:"unlimited" doc:"open connections, all listeners together"`
	// ConnectionTimeout bounds the TLS handshake and the HTTP/2 preface.
	// Default 10s.
	ConnectionTimeout time.Duration `json:"connection_timeout" doc:"TLS handshake and HTTP/2 preface together"`
	// FirstMessageTimeout bounds the time from a call's headers to the end of
	// its request message, for methods that take one request; methods that
	// take a stream of requests may be silent for as long as they like.
	// Default 30s; negative is off. Such a call ends with DeadlineExceeded.
	FirstMessageTimeout time.Duration `json:"first_message_timeout" negative:"off" doc:"from a call's headers to the end of its request, where it takes one"`
}

// Keepalive says how long connections live and how dead ones are found (gRFC
// A8 and A9). The zero value leaves every default in place.
type Keepalive struct {
	// Time is how long a connection may be silent before the server pings it.
	// Default 30s.
	Time time.Duration `json:"time" doc:"silence after which the server pings"`
	// Timeout is how long a ping may stay unanswered, and, on Linux, how long
	// sent data may stay unacknowledged (TCP_USER_TIMEOUT), before the
	// connection is closed. Default 10s.
	Timeout time.Duration `json:"timeout" doc:"unanswered ping, or unacknowledged data (TCP_USER_TIMEOUT), closes the connection"`
	// MinTime is the shortest interval between pings that a client may keep to;
	// one that pings faster is told ENHANCE_YOUR_CALM and closed. Default 10s.
	MinTime time.Duration `json:"min_time" doc:"shortest interval between a client's pings"`
	// DenyWithoutStream refuses pings on connections without an open call.
	// Default false: grpc-go clients may keep idle connections alive.
	DenyWithoutStream bool `json:"deny_without_stream" doc:"refuse client pings on connections without a call"`
	// MaxConnectionIdle closes connections without calls after this long.
	// Default off.
	MaxConnectionIdle time.Duration `json:"max_connection_idle" negative:"off" doc:"closes connections without calls"`
	// MaxConnectionAge asks clients to reconnect after this long, plus or minus
	// 10 %, so that they spread over new servers. Default 30m; negative is off.
	MaxConnectionAge time.Duration `json:"max_connection_age" negative:"off" doc:"clients are asked to reconnect, plus or minus 10 %"`
	// MaxConnectionAgeGrace is how long calls may go on after that; see
	// [Draining]. Default 5m; negative is unlimited.
	MaxConnectionAgeGrace time.Duration `json:"max_connection_age_grace" negative:"unlimited" doc:"how long calls may go on after that"`
}

// Drain bounds the steps of the shutdown. Run returns within Delay + Timeout +
// Stop; the defaults add up to 25s, inside Kubernetes' 30s. The zero value
// leaves every default in place.
type Drain struct {
	// Delay is how long the server keeps accepting and serving after health
	// turned NOT_SERVING, so that endpoints and load balancers can follow.
	// Default 5s; negative is none. SIGINT skips it.
	Delay time.Duration `json:"delay" negative:"none" doc:"serves on after health turned NOT_SERVING"`
	// Timeout is how long calls may go on after GOAWAY. Default 15s.
	Timeout time.Duration `json:"timeout" doc:"calls may go on after GOAWAY"`
	// Stop bounds what follows: closing by force, background tasks and stop
	// hooks together. Default 5s.
	Stop time.Duration `json:"stop" doc:"closing by force, tasks and stop hooks together"`
}

const (
	kib = 1 << 10
	mib = 1 << 20

	// fallbackMaxConnections applies where the system has no RLIMIT_NOFILE.
	fallbackMaxConnections = 10_000
)

func defaultLimits() Limits {
	return Limits{
		MaxRecvBytes:         4 * mib,
		MaxSendBytes:         4 * mib,
		MaxHeaderBytes:       32 * kib,
		MaxConcurrentStreams: 250,
		MaxConnections:       defaultMaxConnections(fileLimit()),
		ConnectionTimeout:    10 * time.Second,
		FirstMessageTimeout:  30 * time.Second,
	}
}

func defaultKeepalive() Keepalive {
	return Keepalive{
		Time:                  30 * time.Second,
		Timeout:               10 * time.Second,
		MinTime:               10 * time.Second,
		MaxConnectionIdle:     -1,
		MaxConnectionAge:      30 * time.Minute,
		MaxConnectionAgeGrace: 5 * time.Minute,
	}
}

func defaultDrain() Drain {
	return Drain{Delay: 5 * time.Second, Timeout: 15 * time.Second, Stop: 5 * time.Second}
}

// defaultMaxConnections leaves a quarter of the file descriptors to the rest
// of the program: files, outgoing connections, listeners.
func defaultMaxConnections(files uint64) int {
	if files == 0 {
		return fallbackMaxConnections
	}
	return int(min(files, 1<<20) / 4 * 3)
}

// MarshalJSON writes durations as text, for example "5s".
func (l Limits) MarshalJSON() ([]byte, error) { return marshalConfig(l) }

// UnmarshalJSON reads durations as text, for example "5s". Unknown keys are
// errors; keys that are absent leave their field as it was.
func (l *Limits) UnmarshalJSON(data []byte) error { return unmarshalConfig(data, l) }

// MarshalJSON writes durations as text, for example "5s".
func (k Keepalive) MarshalJSON() ([]byte, error) { return marshalConfig(k) }

// UnmarshalJSON reads durations as text, for example "5s". Unknown keys are
// errors; keys that are absent leave their field as it was.
func (k *Keepalive) UnmarshalJSON(data []byte) error { return unmarshalConfig(data, k) }

// MarshalJSON writes durations as text, for example "5s".
func (d Drain) MarshalJSON() ([]byte, error) { return marshalConfig(d) }

// UnmarshalJSON reads durations as text, for example "5s". Unknown keys are
// errors; keys that are absent leave their field as it was.
func (d *Drain) UnmarshalJSON(data []byte) error { return unmarshalConfig(data, d) }
