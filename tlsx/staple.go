package tlsx

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// stapleRetry is the first wait after a failure; it doubles up to
	// stapleRetryMax, which is also the pace for a revoked certificate.
	stapleRetry    = time.Minute
	stapleRetryMax = time.Hour
	// stapleSpread divides half the life of a response: by up to that part of
	// it a fetch is put off, so that the servers that received a response
	// together do not ask for the next one together.
	stapleSpread = 10
)

// A stapler keeps an OCSP response for the certificate that a source serves.
// It fetches one at once and again at half its life, keeps the last good one
// while that fails, and drops it at its nextUpdate. Only a response that says
// good is stapled.
type stapler struct {
	responder string // empty: those that the certificate names
	fetch     func(ctx context.Context, responders []string, leaf, issuer *x509.Certificate) ([]byte, ocspResult, error)
	// publish hands out the response for a certificate, nil to drop it. It is
	// ignored when another certificate is served by now.
	publish func(leaf *x509.Certificate, staple []byte)
	notify  func(Event)
	spread  func(time.Duration) time.Duration // a random part of it

	// Of the current certificate; only run uses them.
	leaf, issuer *x509.Certificate
	last         ocspResult // the newest answer, good or revoked
	stapled      bool
	fetchAt      time.Time // zero: never
	dropAt       time.Time // zero: nothing is stapled
	backoff      time.Duration
}

func newStapler(responder string, publish func(*x509.Certificate, []byte), notify func(Event)) *stapler {
	return &stapler{
		responder: responder, fetch: newFetcher().fetch, publish: publish, notify: notify,
		spread: func(d time.Duration) time.Duration { return time.Duration(rand.Int64N(int64(d) + 1)) },
	}
}

// run works until ctx ends. It follows the certificate of the source.
func (s *stapler) run(ctx context.Context, source Source) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		changed := source.Changed()
		s.follow(source.Current())
		if now := time.Now(); due(s.dropAt, now) {
			s.drop(now)
		}
		if due(s.fetchAt, time.Now()) {
			s.refresh(ctx)
			continue // the certificate may have changed meanwhile
		}
		var wake <-chan time.Time
		if next := earliest(s.fetchAt, s.dropAt); !next.IsZero() {
			timer.Reset(time.Until(next))
			wake = timer.C
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-wake:
		}
	}
}

// follow starts anew when another certificate is served, or when its issuer,
// which was not known, now is.
func (s *stapler) follow(snapshot *Snapshot) {
	same := s.leaf != nil && s.leaf.Equal(snapshot.leaf)
	if snapshot.leaf == nil || same && (s.issuer != nil || snapshot.issuerOf() == nil) {
		return
	}
	*s = stapler{
		responder: s.responder, fetch: s.fetch, publish: s.publish, notify: s.notify, spread: s.spread,
		leaf: snapshot.leaf, issuer: snapshot.issuerOf(), fetchAt: time.Now(),
	}
}

// refresh asks for a response and plans the next time. What cannot succeed
// before the certificate changes is not tried again.
func (s *stapler) refresh(ctx context.Context) {
	s.fetchAt = time.Time{}
	responders := respondersOf(s.leaf)
	if s.responder != "" {
		responders = []string{s.responder}
	}
	switch {
	case len(responders) == 0:
		s.fail(errors.New("the certificate names no OCSP responder; name one, or issue it with an OCSP URI in its authority information access"), false)
		return
	case s.issuer == nil:
		s.fail(errors.New("the certificate's issuer is not known; append it to the chain"), false)
		return
	}
	raw, result, err := s.fetch(ctx, responders, s.leaf, s.issuer)
	if ctx.Err() != nil {
		return
	}
	now := time.Now()
	switch {
	case err != nil:
	case result.status == ocspUnknown:
		err = errors.New("the OCSP responder does not know the certificate; ask the one of its CA")
	case !result.nextUpdate.After(now):
		err = fmt.Errorf("the OCSP responder sent a response that ended at %s", stamp(result.nextUpdate))
	case result.thisUpdate.Before(s.last.thisUpdate):
		err = fmt.Errorf("the OCSP responder sent a response of %s after one of %s; it may be replayed", stamp(result.thisUpdate), stamp(s.last.thisUpdate))
	}
	if err != nil {
		s.fail(err, true)
		return
	}
	fresh := result.thisUpdate.After(s.last.thisUpdate)
	before := s.last
	s.last, s.backoff = result, 0
	if result.status == ocspRevoked {
		s.fetchAt = now.Add(stapleRetryMax)
		if s.stapled {
			s.unstaple()
		}
		if before.status != ocspRevoked {
			s.notify(CertificateRevoked{Time: now, RevokedAt: result.revokedAt, Reason: reasonName(result.reason)})
		}
		return
	}
	s.fetchAt = s.nextFetch(now)
	s.dropAt = result.nextUpdate
	if fresh || !s.stapled {
		s.stapled = true
		s.publish(s.leaf, raw)
		s.notify(Stapled{Time: now, ThisUpdate: result.thisUpdate, NextUpdate: result.nextUpdate})
	}
}

// nextFetch is at half the life of the response. A responder may hand out one
// that is older; then it is asked again in half of what is left.
func (s *stapler) nextFetch(now time.Time) time.Time {
	life := s.last.nextUpdate.Sub(s.last.thisUpdate)
	if half := s.last.thisUpdate.Add(life / 2); half.After(now) {
		return half.Add(s.spread(life / 2 / stapleSpread))
	}
	return now.Add(max(stapleRetry, s.last.nextUpdate.Sub(now)/2))
}

// fail reports a failure and plans the next attempt.
func (s *stapler) fail(err error, again bool) {
	now := time.Now()
	if again {
		s.backoff = min(max(2*s.backoff, stapleRetry), stapleRetryMax)
		s.fetchAt = now.Add(s.backoff)
	}
	s.notify(StapleFailed{Time: now, Err: fmt.Errorf("tlsx: OCSP stapling: %w", err), StapledUntil: s.dropAt})
}

// drop ends a response at its nextUpdate.
func (s *stapler) drop(now time.Time) {
	s.unstaple()
	s.notify(StapleDropped{Time: now})
}

func (s *stapler) unstaple() {
	s.stapled, s.dropAt = false, time.Time{}
	s.publish(s.leaf, nil)
}

// withStaple returns the next generation, with another response and nothing
// else changed.
func (s *Snapshot) withStaple(staple []byte) *Snapshot {
	cert := *s.cert()
	cert.OCSPStaple = staple
	return newSnapshot(parts{
		cert: cert, chain: s.chain, cas: s.cas, clientAuth: s.clientAuth, usage: s.usage,
		generation: s.generation + 1, policy: s.policy,
		trustGeneration: s.trustGeneration, roots: s.roots, tickets: s.tickets,
	})
}

// stapleFor returns the response of s when it is for the leaf too.
func (s *Snapshot) stapleFor(leaf *x509.Certificate) []byte {
	if !s.leaf.Equal(leaf) {
		return nil
	}
	return s.cert().OCSPStaple
}
