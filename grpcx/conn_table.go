package grpcx

import (
	"log/slog"
	"net"
	"sync"
	"time"
)

// connTable keeps the books of a server's connections: how many there are,
// which are still in their handshake, which were told to go away. It costs
// something per connection and nothing per RPC.
type connTable struct {
	max         int // negative is unlimited
	userTimeout time.Duration
	tls         bool
	log         func() *slog.Logger
	remedy      string // for a full table

	mu       sync.Mutex
	byAddr   map[net.Addr]*conn // the open connections
	draining bool               // every connection counts as draining
	refusing bool               // new connections are closed at once
	accepted uint64             // connections, ever
	refused  uint64             // connections above max, ever
	awaiting int                // connections that still owe a GOAWAY
	allAway  chan struct{}      // closed when awaiting reaches 0
	wasFull  bool               // said once, until there is room again
	failing  bool               // said once, until an accept succeeds

	// A table that is full, then not, in turn says so once a second at most.
	saysFull, saysFailing rateLimit
}

func newConnTable(limit int, userTimeout time.Duration, overTLS bool, log func() *slog.Logger) *connTable {
	return &connTable{
		max: limit, userTimeout: userTimeout, tls: overTLS, log: log,
		remedy: "raise Limits.MaxConnections (and RLIMIT_NOFILE), or add servers",
		byAddr: map[net.Addr]*conn{}, allAway: make(chan struct{}),
	}
}

// admit enters a new connection; false means that it must be closed.
func (t *connTable) admit(raw net.Conn) (net.Conn, bool) {
	wrapped, c := wrapConn(raw, t)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failing = false
	if t.refusing {
		return nil, false
	}
	if t.max >= 0 && len(t.byAddr) >= t.max {
		t.refused++
		if !t.wasFull && t.saysFull.passes() {
			t.wasFull = true
			t.log().Warn("grpcx: too many connections; closing new ones until others end",
				slog.Int("open", len(t.byAddr)),
				slog.String("remedy", t.remedy))
		}
		return nil, false
	}
	c.drained = t.draining
	t.byAddr[c.addr] = c
	t.accepted++
	return wrapped, true
}

// counts returns how many connections were accepted, and how many refused
// because there were too many.
func (t *connTable) counts() (accepted, refused uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.accepted, t.refused
}

func (t *connTable) establish(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.established = true
}

func (t *connTable) remove(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byAddr[c.addr] == c {
		delete(t.byAddr, c.addr)
		t.wasFull = t.wasFull && len(t.byAddr) >= t.max
	}
	if c.peer != nil {
		c.peer.keeper.forget(c.peer)
		c.peer = nil
	}
	t.drainLocked(c)
	t.awayLocked(c)
}

// goAway notes that a GOAWAY frame was written to c.
func (t *connTable) goAway(c *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.goneAway = true
	t.drainLocked(c)
	t.awayLocked(c)
}

func (t *connTable) drainLocked(c *conn) {
	if !c.drained {
		c.drained = true
		if c.draining != nil {
			close(c.draining)
		}
	}
}

func (t *connTable) awayLocked(c *conn) {
	if c.awaited {
		c.awaited = false
		if t.awaiting--; t.awaiting == 0 {
			close(t.allAway)
		}
	}
}

// drainAll tells the handlers of every connection that the server drains.
func (t *connTable) drainAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.draining = true
	for _, c := range t.byAddr {
		t.drainLocked(c)
	}
}

// refuse closes the connections that never finished their handshake, which
// would block grpc-go's stop for as long as ConnectionTimeout, and every later
// one. The channel it returns is closed when each of the others was sent its
// GOAWAY, or closed.
func (t *connTable) refuse() <-chan struct{} {
	t.mu.Lock()
	if t.refusing {
		t.mu.Unlock()
		return t.allAway
	}
	t.refusing = true
	var pending []*conn
	for _, c := range t.byAddr {
		switch {
		case !c.established:
			pending = append(pending, c)
		case !c.goneAway:
			c.awaited = true
			t.awaiting++
		}
	}
	if t.awaiting == 0 {
		close(t.allAway)
	}
	t.mu.Unlock()
	for _, c := range pending {
		_ = c.Close()
	}
	return t.allAway
}

// setPeer notes who is at the other end; false when c was closed meanwhile.
func (t *connTable) setPeer(c *conn, p *peerRecord) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byAddr[c.addr] != c {
		return false
	}
	c.peer = p
	return true
}

// peerOf returns who is at the other end of the connection with this address;
// nil when that is not known.
func (t *connTable) peerOf(addr net.Addr) *peerRecord {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.byAddr[addr]; c != nil {
		return c.peer
	}
	return nil
}

// drainingOf returns a channel that is closed when the connection with this
// peer address drains; false when the address is not in the books.
func (t *connTable) drainingOf(addr net.Addr) (<-chan struct{}, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.byAddr[addr]
	if c == nil {
		return nil, false
	}
	if c.draining == nil {
		c.draining = make(chan struct{})
		if c.drained {
			close(c.draining)
		}
	}
	return c.draining, true
}

func (t *connTable) open() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byAddr)
}

// acceptFailed says once that connections cannot be accepted for now, for
// example because there are no file descriptors left; grpc-go tries again.
// Any other error ends the accept loop and is reported by Serve.
func (t *connTable) acceptFailed(err error) {
	if temporary, ok := err.(interface{ Temporary() bool }); !ok || !temporary.Temporary() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.failing && t.saysFailing.passes() {
		t.failing = true
		t.log().Error("grpcx: cannot accept connections; trying again", slog.Any("error", err))
	}
}
