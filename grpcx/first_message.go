package grpcx

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// firstMessages ends the calls whose request does not arrive in time. A call
// waits in the list of one shard; all wait equally long, so a list is in the
// order of their deadlines and one timer per shard, armed for the first, does.
type firstMessages struct {
	timeout time.Duration
	shards  []firstShard // a power of two
}

// firstMessage is a call's place in the list. The zero value is nowhere.
type firstMessage struct {
	shard      *firstShard
	prev, next *call
	listed     bool
}

type firstShard struct {
	mu         sync.Mutex
	head, tail *call
	timer      *time.Timer // made with the first call
	armed      bool
	closed     bool
	timeout    time.Duration
	_          [80]byte // keeps neighbours off this cache line
}

func newFirstMessages(timeout time.Duration) *firstMessages {
	n := 1
	for n < min(runtime.NumCPU(), 64) {
		n *= 2
	}
	f := &firstMessages{timeout: timeout, shards: make([]firstShard, n)}
	for i := range f.shards {
		f.shards[i].timeout = timeout
	}
	return f
}

func (f *firstMessages) add(c *call) {
	s := &f.shards[rand.Uint32()&uint32(len(f.shards)-1)]
	c.first.shard = s
	s.mu.Lock()
	defer s.mu.Unlock()
	c.first.listed = true
	c.first.prev = s.tail
	if s.tail == nil {
		s.head = c
	} else {
		s.tail.first.next = c
	}
	s.tail = c
	if !s.armed && !s.closed {
		s.armed = true
		if s.timer == nil {
			s.timer = time.AfterFunc(s.timeout, s.expire)
		} else {
			s.timer.Reset(s.timeout)
		}
	}
}

func (s *firstShard) remove(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeLocked(c)
}

func (s *firstShard) removeLocked(c *call) {
	if !c.first.listed {
		return
	}
	prev, next := c.first.prev, c.first.next
	if prev == nil {
		s.head = next
	} else {
		prev.first.next = next
	}
	if next == nil {
		s.tail = prev
	} else {
		next.first.prev = prev
	}
	c.first.prev, c.first.next, c.first.listed = nil, nil, false
}

// expire ends the calls whose time is over and arms the timer for the next.
func (s *firstShard) expire() {
	s.mu.Lock()
	var late []*call
	now := time.Now()
	for s.head != nil && now.Sub(s.head.start) >= s.timeout {
		late = append(late, s.head)
		s.removeLocked(s.head)
	}
	s.armed = s.head != nil && !s.closed
	if s.armed {
		s.timer.Reset(s.timeout - now.Sub(s.head.start))
	}
	s.mu.Unlock()
	for _, c := range late {
		c.abort(status.New(codes.DeadlineExceeded, "the request did not arrive within "+s.timeout.String()))
	}
}

// close stops the timers. Calls that still wait are ended by the server.
func (f *firstMessages) close() {
	for i := range f.shards {
		s := &f.shards[i]
		s.mu.Lock()
		s.closed = true
		if s.timer != nil {
			s.timer.Stop()
		}
		s.mu.Unlock()
	}
}
