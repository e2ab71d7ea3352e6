package grpcx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// swapped is a source in memory whose snapshot a test replaces.
type swapped struct {
	mu      sync.Mutex
	now     *tlsx.Snapshot
	changed chan struct{}
}

func newSwapped(s *tlsx.Snapshot) *swapped { return &swapped{now: s, changed: make(chan struct{})} }

func (s *swapped) Current() *tlsx.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *swapped) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// twoTrusts returns two snapshots of one source: another trust generation needs
// a reloader.
func twoTrusts(t testing.TB, first, second []*certtest.CA) (was, is *tlsx.Snapshot) {
	t.Helper()
	dir := t.TempDir()
	server := certtest.NewCA(t, "servers").Issue(t, certtest.Server)
	cert, key := server.Write(t, dir, "tls")
	bundle := func(cas []*certtest.CA) string {
		var list []*x509.Certificate
		for _, ca := range cas {
			list = append(list, ca.Cert)
		}
		return certtest.WriteFile(t, dir, "ca.crt", certtest.CertPEM(list...))
	}
	r, err := tlsx.NewReloader(tlsx.Files{Cert: cert, Key: key, ClientCA: bundle(first)},
		tlsx.WithSettle(time.Millisecond), tlsx.WithLogger(slog.New(slog.DiscardHandler)))
	assert.NoError(t, err)
	was = r.Current()
	bundle(second)
	_, err = r.Reload()
	assert.NoError(t, err)
	return was, r.Current()
}

func clientState(leaf *certtest.Leaf, ca *certtest.CA) tls.ConnectionState {
	return tls.ConnectionState{
		Version: tls.VersionTLS13, HandshakeComplete: true, NegotiatedProtocol: "h2",
		PeerCertificates: leaf.Chain,
		VerifiedChains:   [][]*x509.Certificate{{leaf.Cert, ca.Cert}},
	}
}

// trackOne enters a connection without a network.
func trackOne(k *trustKeeper, table *connTable, by *tlsx.Snapshot, state tls.ConnectionState) (*tlsConn, *noConn, error) {
	raw := new(noConn)
	admitted, _ := table.admit(raw)
	under := admitted.(interface{ entry() *conn }).entry()
	tc := &tlsConn{Conn: tls.Server(admitted, by.ServerConfig()), under: under}
	return tc, raw, k.track(tc, by, state)
}

func newBookkeeper(source tlsx.Source, d Distrust) (*trustKeeper, *connTable) {
	discard := func() *slog.Logger { return slog.New(slog.DiscardHandler) }
	return newTrustKeeper(source, d, discard), newConnTable(-1, time.Second, true, discard)
}

// Ten thousand connections share one goroutine, and one sweep finds those that
// are no longer accepted.
func TestTrackedConnectionsShareAGoroutine(t *testing.T) {
	const each = 5_000
	stays, goes := certtest.NewCA(t, "stays"), certtest.NewCA(t, "goes")
	was, is := twoTrusts(t, []*certtest.CA{stays, goes}, []*certtest.CA{stays})
	source := newSwapped(was)
	keeper, table := newBookkeeper(source, Distrust{Action: DistrustClose, Grace: time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { keeper.run(ctx) })
	defer running.Wait()
	defer cancel()

	before := runtime.NumGoroutine()
	kept, cut := make([]*noConn, each), make([]*noConn, each)
	stay, going := clientState(stays.Issue(t, certtest.Client), stays), clientState(goes.Issue(t, certtest.Client), goes)
	for i := range each {
		var err error
		_, kept[i], err = trackOne(keeper, table, was, stay)
		assert.NoError(t, err)
		_, cut[i], err = trackOne(keeper, table, was, going)
		assert.NoError(t, err)
	}
	assert.Equal(t, keeper.status().Connections, map[uint64]int{was.TrustGeneration(): 2 * each})
	assert.Equal(t, len(keeper.due), 2*each)
	if n := runtime.NumGoroutine() - before; n > 0 {
		t.Errorf("%d tracked connections added %d goroutines", 2*each, n)
	}

	began := time.Now()
	source.mu.Lock()
	source.now = is
	close(source.changed)
	source.changed = make(chan struct{})
	source.mu.Unlock()
	await(t, "the sweep did not end", func() bool {
		return table.open() == each && keeper.status().Connections[is.TrustGeneration()] == each
	})
	t.Logf("%d connections rechecked and half of them closed in %v", 2*each, time.Since(began))
	assert.Equal(t, keeper.status().Connections, map[uint64]int{is.TrustGeneration(): each})
	assert.Equal(t, len(keeper.due), each)
	for i := range each {
		if kept[i].closed.Load() || !cut[i].closed.Load() {
			t.Fatalf("connection %d: kept one closed %v, cut one %v", i, kept[i].closed.Load(), cut[i].closed.Load())
		}
	}
	await(t, "goroutines are left", func() bool { return runtime.NumGoroutine() <= before })
}

// A handshake that began under another trust is judged by the present one.
func TestTrackLooksAgain(t *testing.T) {
	stays, goes := certtest.NewCA(t, "stays"), certtest.NewCA(t, "goes")
	was, is := twoTrusts(t, []*certtest.CA{stays, goes}, []*certtest.CA{stays})
	keeper, table := newBookkeeper(tlsx.Static(is), defaultDistrust())

	tc, _, err := trackOne(keeper, table, was, clientState(stays.Issue(t, certtest.Client), stays))
	assert.NoError(t, err)
	p := table.peerOf(tc.RemoteAddr())
	assert.Equal(t, p.trust, is.TrustGeneration())
	assert.Equal(t, p.identity.Generation(), is.Generation())

	_, _, err = trackOne(keeper, table, was, clientState(goes.Issue(t, certtest.Client), goes))
	assert.Equal(t, tlsx.RefusalReason(err), tlsx.PeerUntrusted)
	assert.Equal(t, keeper.status().Connections, map[uint64]int{is.TrustGeneration(): 1})

	assert.NoError(t, tc.under.Close())
	assert.Equal(t, keeper.status().Connections, map[uint64]int{})
	assert.Equal(t, len(keeper.due), 0)
	if _, _, err := trackClosed(keeper, table, is, clientState(stays.Issue(t, certtest.Client), stays)); err == nil {
		t.Error("a connection that was closed meanwhile is tracked")
	}
	assert.Equal(t, keeper.status().Connections, map[uint64]int{})
	assert.Equal(t, len(keeper.due), 0)
}

// A verdict of an older trust does not undo that of a newer one.
func TestOvertakenVerdict(t *testing.T) {
	stays, goes := certtest.NewCA(t, "stays"), certtest.NewCA(t, "goes")
	was, is := twoTrusts(t, []*certtest.CA{stays, goes}, []*certtest.CA{stays})
	keeper, table := newBookkeeper(tlsx.Static(was), Distrust{Action: DistrustReject, Grace: time.Second})
	state := clientState(goes.Issue(t, certtest.Client), goes)
	tc, _, err := trackOne(keeper, table, was, state)
	assert.NoError(t, err)
	p := table.peerOf(tc.RemoteAddr())
	late, err := was.Recheck(state, time.Now())
	assert.NoError(t, err)
	keeper.recheck(is, keeper.judgedBefore(is.TrustGeneration()))
	keeper.accept(p, was, late)
	assert.Equal(t, p.rejects.Load(), true)
	assert.Equal(t, keeper.rejected.Load(), 1)
	assert.Equal(t, p.trust, was.TrustGeneration())
	assert.NoError(t, tc.under.Close())
	assert.Equal(t, keeper.rejected.Load(), 0)
}

// trackClosed enters a connection that the drain closed during its handshake.
func trackClosed(k *trustKeeper, table *connTable, by *tlsx.Snapshot, state tls.ConnectionState) (*tlsConn, *noConn, error) {
	raw := new(noConn)
	admitted, _ := table.admit(raw)
	under := admitted.(interface{ entry() *conn }).entry()
	_ = under.Close()
	tc := &tlsConn{Conn: tls.Server(admitted, by.ServerConfig()), under: under}
	return tc, raw, k.track(tc, by, state)
}

// The heap says what a sorted list says, whatever is set in whatever order.
func TestDueHeap(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var h dueHeap
		peers := make([]*peerRecord, 1+rnd.IntN(40))
		for i := range peers {
			peers[i] = new(peerRecord)
		}
		for range 400 {
			p := peers[rnd.IntN(len(peers))]
			var due time.Time
			if rnd.IntN(3) > 0 {
				due = time.Unix(rnd.Int64N(30), 0)
			}
			h.set(p, due)

			var want []time.Time
			for _, p := range peers {
				if (p.place == 0) != p.due.IsZero() {
					t.Fatalf("seed %d: due %v at place %d", seed, p.due, p.place)
				}
				if !p.due.IsZero() {
					want = append(want, p.due)
				}
			}
			slices.SortFunc(want, time.Time.Compare)
			next, ok := h.next()
			if len(h) != len(want) || ok != (len(want) > 0) || ok && !next.Equal(want[0]) {
				t.Fatalf("seed %d: the heap of %d says %v, want %v", seed, len(h), next, want)
			}
			for i, p := range h {
				if p.place != i+1 {
					t.Fatalf("seed %d: place %d says %d", seed, i+1, p.place)
				}
			}
		}
	}
}

// BenchmarkRecheck is the cost of holding one open connection to a new trust.
func BenchmarkRecheck(b *testing.B) {
	ca := certtest.NewCA(b, "clients")
	was, is := twoTrusts(b, []*certtest.CA{ca}, []*certtest.CA{ca, certtest.NewCA(b, "other")})
	keeper, table := newBookkeeper(tlsx.Static(was), defaultDistrust())
	_, _, err := trackOne(keeper, table, was, clientState(ca.Issue(b, certtest.Client), ca))
	assert.NoError(b, err)
	list := keeper.judgedBefore(is.TrustGeneration())
	b.ReportAllocs()
	for b.Loop() {
		keeper.recheck(is, list)
	}
}

// BenchmarkTrackedMemory is what one open connection costs with and without
// being held to the trust.
func BenchmarkTrackedMemory(b *testing.B) {
	ca := certtest.NewCA(b, "clients")
	was, _ := twoTrusts(b, []*certtest.CA{ca}, []*certtest.CA{certtest.NewCA(b, "other")})
	leaf := ca.Issue(b, certtest.Client)
	for b.Loop() {
		bare, tracked := perConnection(b, was, leaf, ca, false), perConnection(b, was, leaf, ca, true)
		b.ReportMetric(bare, "B/bare-conn")
		b.ReportMetric(tracked-bare, "B/tracking")
	}
}

// TestTrackedMemory keeps that to a kibibyte.
func TestTrackedMemory(t *testing.T) {
	ca := certtest.NewCA(t, "clients")
	was, _ := twoTrusts(t, []*certtest.CA{ca}, []*certtest.CA{certtest.NewCA(t, "other")})
	leaf := ca.Issue(t, certtest.Client)
	more := perConnection(t, was, leaf, ca, true) - perConnection(t, was, leaf, ca, false)
	t.Logf("a tracked connection holds %.0f bytes more", more)
	if more > 1024 {
		t.Errorf("a tracked connection holds %.0f bytes more, want at most 1024", more)
	}
}

// perConnection is the heap held by a connection in the books.
func perConnection(t testing.TB, by *tlsx.Snapshot, leaf *certtest.Leaf, ca *certtest.CA, track bool) float64 {
	t.Helper()
	const n = 5_000
	keeper, table := newBookkeeper(tlsx.Static(by), defaultDistrust())
	held := make([]any, 0, n)
	measure := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := measure()
	for range n {
		state := clientState(leaf, ca)
		if track {
			tc, _, err := trackOne(keeper, table, by, state)
			assert.NoError(t, err)
			held = append(held, tc)
			continue
		}
		admitted, _ := table.admit(new(noConn))
		held = append(held, &tlsConn{Conn: tls.Server(admitted, by.ServerConfig()), under: admitted.(interface{ entry() *conn }).entry()})
	}
	after := measure()
	runtime.KeepAlive(held)
	runtime.KeepAlive(keeper)
	return (float64(after) - float64(before)) / n
}
