package grpcx_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// echoing counts the streams that were told to drain, and echoes on.
func echoing(drained *atomic.Int64) *service {
	return &service{duplex: func(s testgrpc.TestService_FullDuplexCallServer) error {
		told := grpcx.Draining(s.Context())
		for {
			_, err := s.Recv()
			if closed(told) {
				drained.Add(1)
				told = nil
			}
			if errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			if err := s.Send(&testgrpc.StreamingOutputCallResponse{}); err != nil {
				return err
			}
		}
	}}
}

// load makes calls without pause until stop, which returns how many there were
// and how many failed.
func (c *caller) load(t testing.TB) (stop func() (calls, failed int64)) {
	var calls, failed atomic.Int64
	var done sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	for range 2 {
		done.Go(func() {
			tick := time.NewTicker(time.Millisecond) // bounds the load
			defer tick.Stop()
			for ctx.Err() == nil {
				calls.Add(1)
				if err := c.call(t); err != nil && failed.Add(1) <= 3 {
					t.Errorf("call failed: %v", err)
				}
				<-tick.C
			}
		})
	}
	return func() (int64, int64) {
		cancel()
		done.Wait()
		return calls.Load(), failed.Load()
	}
}

// Whatever leaves a peer accepted leaves its connection alone.
func TestTrustChangesThatDrainNobody(t *testing.T) {
	a, b := certtest.NewCA(t, "a"), certtest.NewCA(t, "b")
	var drained atomic.Int64
	s := newSite(t, echoing(&drained), []*certtest.CA{a}, nil)
	c := s.dial(t, a.Issue(t, certtest.Client))
	stop, open := c.load(t), c.open(t)
	before := s.tls(t)
	assert.Equal(t, before.Connections, map[uint64]int{before.Trust: 1})

	s.put(t, trust(a, b))
	added := s.adopted(t, before.Trust)
	waitFor(t, "the recheck", func() bool { return s.tls(t).Connections[added.Trust] == 1 })
	assert.NoError(t, open.echo())
	assert.NoError(t, s.dial(t, b.Issue(t, certtest.Client)).call(t))

	s.put(t, identity(t, s.ca.Issue(t, certtest.Server)))
	// A certificate without the needed SAN would fail the next dial; this one
	// only proves that a new certificate is no new trust.
	waitFor(t, "the new certificate", func() bool { return s.tls(t).Generation > added.Generation })
	assert.Equal(t, s.tls(t).Trust, added.Trust)
	assert.NoError(t, open.echo())
	assert.NoError(t, open.finish())
	calls, failed := stop()
	assert.Equal(t, failed, 0)
	assert.True(t, calls > 10, "there was load")
	assert.Equal(t, c.dials.Load(), 1)
	assert.Equal(t, drained.Load(), 0)
	assert.Equal(t, len(s.log.lines("no longer accepted")), 0)
}

// A CA is removed after its clients were renewed under another: they move to
// new connections without one failed call, and streams end when they like.
func TestRemovedCADrains(t *testing.T) {
	const clients = 4
	old, renewed := certtest.NewCA(t, "old"), certtest.NewCA(t, "renewed")
	var drained atomic.Int64
	s := newSite(t, echoing(&drained), []*certtest.CA{old, renewed}, nil)
	var callers [clients]*caller
	var stops [clients]func() (int64, int64)
	var streams [clients]stream
	for i := range callers {
		c := s.dial(t, old.Issue(t, certtest.Client))
		callers[i], streams[i], stops[i] = c, c.open(t), c.load(t)
		c.leaf.Store(renewed.Issue(t, certtest.Client))
	}
	bystander := s.dial(t, renewed.Issue(t, certtest.Client))
	assert.NoError(t, bystander.call(t))

	before := s.tls(t)
	assert.Equal(t, before.Connections, map[uint64]int{before.Trust: clients + 1})
	s.put(t, trust(renewed))
	after := s.adopted(t, before.Trust)
	for i, c := range callers {
		waitFor(t, "the new connection", func() bool { return c.dials.Load() == 2 })
		for range 20 {
			assert.NoError(t, streams[i].echo())
		}
	}
	waitFor(t, "both connections of each client", func() bool {
		n := s.tls(t).Connections
		return n[before.Trust] == clients && n[after.Trust] == clients+1
	})
	var calls, failed int64
	for i, c := range callers {
		assert.NoError(t, streams[i].finish())
		n, f := stops[i]()
		calls, failed = calls+n, failed+f
		assert.Equal(t, c.dials.Load(), 2)
	}
	// The last stream gone, the client closes the connection it was told to leave.
	waitFor(t, "the end of the old connections", func() bool { return s.tls(t).Connections[before.Trust] == 0 })
	assert.Equal(t, failed, 0)
	assert.Equal(t, drained.Load(), clients)
	assert.NoError(t, bystander.call(t))
	assert.Equal(t, bystander.dials.Load(), 1)
	t.Logf("%d connections drained under %d calls, %d failed", clients, calls, failed)

	warned := s.log.lines("open connections are no longer accepted")
	assert.Equal(t, len(warned), 1)
	assert.Contains(t, warned[0], "connections=4", "reason=untrusted", "action=drain", "level=WARN")
}

// What still runs on a drained connection when the grace is over is ended.
func TestDistrustGrace(t *testing.T) {
	const grace = 300 * time.Millisecond
	old, renewed := certtest.NewCA(t, "old"), certtest.NewCA(t, "renewed")
	s := newSite(t, &service{}, []*certtest.CA{old, renewed}, nil, grpcx.WithDistrust(grpcx.Distrust{Grace: grace}))
	c := s.dial(t, old.Issue(t, certtest.Client))
	open := c.open(t)
	before := s.tls(t)
	s.put(t, trust(renewed))
	began := time.Now()
	wantCode(t, open.ended(), codes.Unavailable)
	if took := time.Since(began); took < grace {
		t.Errorf("the stream was ended after %v, before the grace of %v was over", took, grace)
	}
	waitFor(t, "the end of the connection", func() bool { return s.tls(t).Connections[before.Trust] == 0 })
	wantCode(t, c.call(t), codes.Unavailable) // its certificate was not renewed
	c.leaf.Store(renewed.Issue(t, certtest.Client))
	waitFor(t, "a call with the new certificate", func() bool { return c.call(t) == nil })
}

func TestDistrustActions(t *testing.T) {
	for _, test := range []struct {
		action grpcx.DistrustAction
		call   codes.Code // a new one on the old connection
		stream codes.Code // one that is open
		dials  int64
	}{
		{grpcx.DistrustKeep, codes.OK, codes.OK, 1},
		{grpcx.DistrustReject, codes.Unauthenticated, codes.OK, 1},
		{grpcx.DistrustClose, codes.Unavailable, codes.Unavailable, 2}, // the second dial is refused
	} {
		t.Run(test.action.String(), func(t *testing.T) {
			old, other := certtest.NewCA(t, "old"), certtest.NewCA(t, "other")
			s := newSite(t, &service{}, []*certtest.CA{old, other}, nil, grpcx.WithDistrust(grpcx.Distrust{Action: test.action}))
			c, bystander := s.dial(t, old.Issue(t, certtest.Client)), s.dial(t, other.Issue(t, certtest.Client))
			open := c.open(t)
			assert.NoError(t, bystander.call(t))
			before := s.tls(t)

			s.put(t, trust(other))
			s.adopted(t, before.Trust)
			waitFor(t, "the verdict", func() bool { return len(s.log.lines("no longer accepted")) == 1 })
			assert.Contains(t, s.log.lines("no longer accepted")[0], "action="+test.action.String())
			if test.stream == codes.OK {
				assert.NoError(t, open.echo())
				wantCode(t, c.call(t), test.call)
				wantCode(t, c.tryStream(t), test.call)
				assert.NoError(t, open.echo())
				assert.Equal(t, c.dials.Load(), test.dials)
				assert.Equal(t, s.tls(t).Connections[before.Trust], 1)
			} else {
				wantCode(t, endedSoon(t, open), test.stream)
				waitFor(t, "the refusal", func() bool { return c.call(t) != nil && c.dials.Load() >= test.dials })
				assert.Equal(t, s.tls(t).Connections[before.Trust], 0)
			}
			assert.NoError(t, bystander.call(t))
			assert.Equal(t, bystander.dials.Load(), 1)

			// Once the CA is back, so is the client.
			trusted := s.tls(t).Trust
			s.put(t, trust(old, other))
			s.adopted(t, trusted)
			waitFor(t, "a call", func() bool { return c.call(t) == nil })
			if test.stream == codes.OK {
				assert.NoError(t, open.finish())
				assert.Equal(t, c.dials.Load(), 1)
			}
		})
	}
}

// tryStream is the status of a stream opened now.
func (c *caller) tryStream(t testing.TB) error {
	t.Helper()
	s, err := c.FullDuplexCall(t.Context())
	if err != nil {
		return err
	}
	return stream{s}.finish()
}

// A client whose certificate a new CRL lists is cut at once, whatever the
// policy; nobody else notices.
func TestRevokedClientIsCut(t *testing.T) {
	for _, action := range []grpcx.DistrustAction{grpcx.DistrustDrain, grpcx.DistrustKeep} {
		t.Run(action.String(), func(t *testing.T) {
			ca := certtest.NewCA(t, "clients")
			s := newSite(t, &service{}, []*certtest.CA{ca}, func(v *volume, f *tlsx.Files) {
				v.data["ca.crl"] = crlOf(t, ca, 1)
				f.CRL = []string{v.path("ca.crl")}
			}, grpcx.WithDistrust(grpcx.Distrust{Action: action}))
			bystander := s.dial(t, ca.Issue(t, certtest.Client))
			stop, untouched := bystander.load(t), bystander.open(t)

			best := time.Hour // of a few: the machine may be busy
			var revoked []*x509.Certificate
			for n := range int64(3) {
				victim := ca.Issue(t, certtest.Client)
				revoked = append(revoked, victim.Cert)
				c := s.dial(t, victim)
				open := c.open(t)
				s.put(t, map[string][]byte{"ca.crl": crlOf(t, ca, n+2, revoked...)})
				began := time.Now()
				wantCode(t, open.ended(), codes.Unavailable)
				best = min(best, time.Since(began))
				wantCode(t, c.call(t), codes.Unavailable)
			}
			t.Logf("cut within %v", best)
			if best > time.Second {
				t.Errorf("a revoked client was cut after %v, want within a second", best)
			}
			assert.NoError(t, untouched.echo())
			assert.NoError(t, untouched.finish())
			_, failed := stop()
			assert.Equal(t, failed, 0)
			assert.Equal(t, bystander.dials.Load(), 1)
			now := s.tls(t)
			assert.Equal(t, now.Connections, map[uint64]int{now.Trust: 1})
			warned := s.log.lines("no longer accepted")
			assert.Equal(t, len(warned), 3)
			assert.Contains(t, warned[0], "reason=revoked", "action=close")
		})
	}
}

// A connection that drains already is cut when its client is revoked.
func TestRevokedWhileDraining(t *testing.T) {
	ca := certtest.NewCA(t, "clients")
	v := newVolume(t)
	s := &site{volume: v, ca: certtest.NewCA(t, "servers"), log: new(logBuffer)}
	s.put(t, trust(ca))
	s.put(t, map[string][]byte{"ca.crl": crlOf(t, ca, 1)})
	s.put(t, identity(t, s.ca.Issue(t, certtest.Template{CommonName: "server"})))
	files := s.files()
	files.CRL = []string{v.path("ca.crl")}
	reloader := runReloader(t, files, unlogged)
	s.serve(t, &service{}, grpcx.WithTLS(reloader), grpcx.WithDistrust(grpcx.Distrust{Grace: time.Hour}))
	leaf := ca.Issue(t, certtest.Client)
	c := s.dial(t, leaf)
	open := c.open(t)
	assert.NoError(t, reloader.SetAllow(tlsx.AllowDNS("other.test")))
	waitFor(t, "the drain", func() bool { return len(s.log.lines("no longer accepted")) == 1 })
	assert.NoError(t, open.echo())
	s.put(t, map[string][]byte{"ca.crl": crlOf(t, ca, 2, leaf.Cert)})
	wantCode(t, endedSoon(t, open), codes.Unavailable)
}

// endedSoon is how a stream ended, soon.
func endedSoon(t testing.TB, s stream) error {
	t.Helper()
	var err error
	within(t, 10*time.Second, "the end of the stream", background(func() { err = s.ended() }))
	return err
}

// unlogged keeps a reloader of the test's own out of the default log.
var unlogged = tlsx.WithLogger(slog.New(slog.DiscardHandler))

func runReloader(t testing.TB, files tlsx.Files, opts ...tlsx.ReloaderOption) *tlsx.Reloader {
	t.Helper()
	r, err := tlsx.NewReloader(files, opts...)
	assert.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var ran error
	done := background(func() { ran = r.Run(ctx) })
	t.Cleanup(func() { cancel(); <-done; assert.NoError(t, ran) })
	return r
}

// A source that the program runs: its list of clients changes.
func TestAllowListChange(t *testing.T) {
	ca := certtest.NewCA(t, "clients")
	s := &site{volume: newVolume(t), ca: certtest.NewCA(t, "servers"), log: new(logBuffer)}
	s.put(t, trust(ca))
	s.put(t, identity(t, s.ca.Issue(t, certtest.Template{CommonName: "server"})))
	reloader := runReloader(t, s.files(), unlogged)
	s.serve(t, &service{}, grpcx.WithTLS(reloader))
	web := s.dial(t, ca.Issue(t, certtest.Template{URIs: []string{"spiffe://example.org/web"}}))
	job := s.dial(t, ca.Issue(t, certtest.Template{URIs: []string{"spiffe://example.org/job"}}))
	webOpen, jobOpen := web.open(t), job.open(t)
	stop := web.load(t)

	assert.NoError(t, reloader.SetAllow(tlsx.AllowSPIFFEID("spiffe://example.org/web")))
	waitFor(t, "the drain", func() bool { return len(s.log.lines("no longer accepted")) == 1 })
	assert.Contains(t, s.log.lines("no longer accepted")[0], "connections=1", "reason=not-allowed", "spiffe://example.org/job")
	assert.NoError(t, jobOpen.echo())
	assert.NoError(t, jobOpen.finish())
	waitFor(t, "the refusal", func() bool { return job.call(t) != nil })
	assert.NoError(t, webOpen.finish())
	_, failed := stop()
	assert.Equal(t, failed, 0)
	assert.Equal(t, web.dials.Load(), 1)

	assert.NoError(t, reloader.SetAllow())
	waitFor(t, "a call of the other", func() bool { return job.call(t) == nil })
	status := s.tls(t)
	assert.True(t, status.Files == nil, "the files are the caller's")
}
