package grpcx

import (
	"context"
	"crypto/tls"
	"log/slog"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/peer"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/grpcx-go/sdk/tlsx"
)

// trustKeeper holds open TLS connections to the trust of the moment. On a
// change of trust it rechecks each once; when what vouches for a peer lapses
// (a certificate, a CRL), it rechecks that one. It runs in one goroutine with
// one timer, however many connections there are.
type trustKeeper struct {
	source tlsx.Source
	policy Distrust
	log    func() *slog.Logger

	rejected   atomic.Int64 // connections whose new calls are rejected
	handshakes atomic.Uint64
	resumed    atomic.Uint64

	mu    sync.Mutex
	peers map[*peerRecord]struct{}
	due   dueHeap
	// Counted by reason, since the start.
	refused, distrusted map[tlsx.PeerReason]uint64

	wake chan struct{} // something is due earlier than the timer knows

	// handshakeTime is set before connections are accepted; nil: not measured.
	handshakeTime metric.Float64Histogram
}

// peerRecord is an open connection and who is at its other end.
type peerRecord struct {
	keeper *trustKeeper
	conn   *tlsConn
	state  *tls.ConnectionState // as the handshake left it

	// Guarded by trustKeeper.mu.
	identity tlsx.Identity
	trust    uint64 // the trust generation that last accepted the peer
	judged   uint64 // the one that last judged it
	due      time.Time
	place    int  // in the heap, from 1; 0 is nowhere
	fallen   bool // no longer accepted; what is due is its end
	rejects  atomic.Bool
}

func newTrustKeeper(source tlsx.Source, policy Distrust, log func() *slog.Logger) *trustKeeper {
	return &trustKeeper{
		source: source, policy: policy, log: log,
		peers: map[*peerRecord]struct{}{}, wake: make(chan struct{}, 1),
		refused: map[tlsx.PeerReason]uint64{}, distrusted: map[tlsx.PeerReason]uint64{},
	}
}

// track enters a connection whose handshake snapshot accepted. The trust may
// have changed meanwhile: who comes after the sweep looks for itself.
func (k *trustKeeper) track(c *tlsConn, snapshot *tlsx.Snapshot, state tls.ConnectionState) error {
	p := &peerRecord{keeper: k, conn: c, state: &state, trust: snapshot.TrustGeneration(), judged: snapshot.TrustGeneration()}
	p.identity, _ = snapshot.PeerIdentity(state)
	k.mu.Lock()
	k.peers[p] = struct{}{}
	k.scheduleLocked(p, lapse(p.identity))
	k.mu.Unlock()
	if !c.under.table.setPeer(c.under, p) {
		k.forget(p)
		return net.ErrClosed
	}

	now := k.source.Current()
	if now.TrustGeneration() == snapshot.TrustGeneration() {
		k.count(state)
		return nil
	}
	identity, err := now.Recheck(state, time.Now())
	if err != nil {
		k.forget(p)
		return err
	}
	k.accept(p, now, identity)
	k.count(state)
	return nil
}

func (k *trustKeeper) count(state tls.ConnectionState) {
	k.handshakes.Add(1)
	if state.DidResume {
		k.resumed.Add(1)
	}
}

// measure records how long a handshake took.
func (k *trustKeeper) measure(start time.Time, how string) {
	if h := k.handshakeTime; h != nil {
		kept, ok := handshakeRecords[how]
		if !ok {
			kept = recordOutcome(how)
		}
		h.Record(context.Background(), time.Since(start).Seconds(), kept...)
	}
}

// handshakeRecords are kept for the outcomes of handshakes that succeed.
var handshakeRecords = map[string][]metric.RecordOption{
	handshakeOutcome(false): recordOutcome(handshakeOutcome(false)),
	handshakeOutcome(true):  recordOutcome(handshakeOutcome(true)),
}

func recordOutcome(how string) []metric.RecordOption {
	return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(outcome(how)))}
}

func handshakeOutcome(resumed bool) string {
	if resumed {
		return "resumed"
	}
	return "ok"
}

// refuse counts a handshake that failed.
func (k *trustKeeper) refuse(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refused[tlsx.RefusalReason(err)]++
}

func (k *trustKeeper) forget(p *peerRecord) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.peers, p)
	k.due.set(p, time.Time{})
	if p.rejects.Swap(false) {
		k.rejected.Add(-1)
	}
}

func (k *trustKeeper) accept(p *peerRecord, by *tlsx.Snapshot, identity tlsx.Identity) {
	k.mu.Lock()
	defer k.mu.Unlock()
	// The verdict of a track that was overtaken by the sweep counts for nothing.
	if _, open := k.peers[p]; open && !p.fallen && p.judged <= by.TrustGeneration() {
		p.identity, p.trust, p.judged = identity, by.TrustGeneration(), by.TrustGeneration()
		k.scheduleLocked(p, lapse(identity))
		if p.rejects.Swap(false) {
			k.rejected.Add(-1)
		}
	}
}

// rejects reports whether the calls on the connection of ctx are rejected.
func (k *trustKeeper) rejects(ctx context.Context) bool {
	p := peerOf(ctx)
	return p != nil && p.rejects.Load()
}

// peerOf finds the record of the connection that a call came by.
func peerOf(ctx context.Context) *peerRecord {
	c := callFrom(ctx)
	if c == nil || c.path.table == nil {
		return nil
	}
	p, ok := peer.FromContext(c.Context)
	if !ok {
		return nil
	}
	return c.path.table.peerOf(p.Addr)
}

// identityOf returns the identity as the present trust sees it.
func (k *trustKeeper) identityOf(p *peerRecord) tlsx.Identity {
	k.mu.Lock()
	defer k.mu.Unlock()
	return p.identity
}

// status counts the connections by the trust generation that last accepted
// them, and what became of handshakes and peers.
func (k *trustKeeper) status() TLSStatus {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := TLSStatus{
		Connections: map[uint64]int{},
		Handshakes:  k.handshakes.Load(),
		Resumed:     k.resumed.Load(),
		Refused:     maps.Clone(k.refused),
		Distrusted:  maps.Clone(k.distrusted),
	}
	for p := range k.peers {
		s.Connections[p.trust]++
	}
	return s
}

func (k *trustKeeper) scheduleLocked(p *peerRecord, due time.Time) {
	k.due.set(p, due)
	if p.place == 1 {
		select {
		case k.wake <- struct{}{}:
		default:
		}
	}
}

// lapse is the first moment at which nothing vouches for the peer any more:
// certificates and CRLs hold through their last one. It is zero for nobody.
func lapse(identity tlsx.Identity) time.Time {
	until := identity.ValidUntil()
	if until.IsZero() {
		return until
	}
	return until.Add(1)
}

// run keeps the connections until ctx ends.
func (k *trustKeeper) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	swept := k.source.Current().TrustGeneration()
	for {
		changed := k.source.Changed()
		if now := k.source.Current(); now.TrustGeneration() != swept {
			swept = now.TrustGeneration()
			k.recheck(now, k.judgedBefore(swept))
		}
		k.recheck(k.source.Current(), k.lapsed(time.Now()))
		if next, ok := k.next(); ok {
			timer.Reset(max(time.Until(next), 0))
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-timer.C:
		case <-k.wake:
		}
	}
}

func (k *trustKeeper) next() (time.Time, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.due.next()
}

// judgedBefore lists the connections that another trust accepted.
func (k *trustKeeper) judgedBefore(trust uint64) []*peerRecord {
	k.mu.Lock()
	defer k.mu.Unlock()
	var list []*peerRecord
	for p := range k.peers {
		if p.trust != trust {
			list = append(list, p)
		}
	}
	return list
}

// lapsed closes the connections whose grace is over and lists those whose
// vouching has lapsed.
func (k *trustKeeper) lapsed(now time.Time) []*peerRecord {
	k.mu.Lock()
	defer k.mu.Unlock()
	var list []*peerRecord
	for len(k.due) > 0 && !k.due[0].due.After(now) {
		p := k.due[0]
		k.due.set(p, time.Time{})
		if p.fallen {
			go p.conn.under.Close() // it takes our lock; and closing may block
		} else {
			list = append(list, p)
		}
	}
	return list
}

// recheck judges connections anew and acts on those that fail.
func (k *trustKeeper) recheck(by *tlsx.Snapshot, peers []*peerRecord) {
	type fall struct {
		connections int
		example     error
	}
	falls := map[tlsx.PeerReason]fall{}
	for _, p := range peers {
		identity, err := by.Recheck(*p.state, time.Now())
		if err == nil {
			k.accept(p, by, identity)
			continue
		}
		if reason := tlsx.RefusalReason(err); k.distrust(p, by, reason) {
			falls[reason] = fall{falls[reason].connections + 1, err}
		}
	}
	for reason, f := range falls {
		k.log().Warn("grpcx: open connections are no longer accepted",
			slog.Int("connections", f.connections), slog.String("reason", string(reason)),
			slog.String("action", k.actionFor(reason).String()), slog.Any("example", f.example))
	}
}

func (k *trustKeeper) actionFor(reason tlsx.PeerReason) DistrustAction {
	if reason == tlsx.PeerRevoked {
		return DistrustClose
	}
	return k.policy.Action
}

// distrust acts on a connection whose peer is no longer accepted, and reports
// whether there was anything to do. One that drains can only be cut short.
func (k *trustKeeper) distrust(p *peerRecord, by *tlsx.Snapshot, reason tlsx.PeerReason) bool {
	action := k.actionFor(reason)
	k.mu.Lock()
	if _, open := k.peers[p]; !open || p.fallen && action != DistrustClose {
		k.mu.Unlock()
		return false
	}
	p.judged = by.TrustGeneration()
	k.distrusted[reason]++
	switch action {
	case DistrustDrain:
		p.fallen = true
		k.scheduleLocked(p, time.Now().Add(k.policy.Grace))
	case DistrustReject:
		if !p.rejects.Swap(true) {
			k.rejected.Add(1)
		}
	default:
	}
	k.mu.Unlock()
	switch action {
	case DistrustDrain:
		go p.conn.sayFarewell() // a peer that does not read would hold up the others
	case DistrustClose:
		go p.conn.under.Close()
	default:
	}
	return true
}
