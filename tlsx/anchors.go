package tlsx

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"sync"
	"time"
)

// anchors is a CA bundle and what it has proven: the client chains whose
// signatures and constraints were verified up to it. Neither can change for the
// bundle, so that a resumed session needs the time, the revocation status and
// the list of the allowed checked, and no signature. It is shared by the
// snapshots of one bundle.
type anchors struct {
	pool *x509.CertPool
	cas  []*x509.Certificate

	mu sync.Mutex
	// The chains, by content, of clients that came lately: when recent is full it
	// takes the place of older.
	recent, older map[chainKey]struct{}
}

// maxProven bounds each of the two maps of anchors: together about half a
// megabyte.
const maxProven = 4096

type chainKey [sha256.Size]byte

func newAnchors(cas []*x509.Certificate) *anchors {
	a := &anchors{pool: x509.NewCertPool(), cas: cas, recent: map[chainKey]struct{}{}}
	for _, ca := range cas {
		a.pool.AddCert(ca)
	}
	return a
}

// proven notes the chains that crypto/tls verified for a client.
func (a *anchors) proven(chains [][]*x509.Certificate) {
	for _, chain := range chains {
		// The caller may have changed a copy of our configuration.
		if !slices.ContainsFunc(a.cas, chain[len(chain)-1].Equal) {
			continue
		}
		key := keyOf(chain)
		a.mu.Lock()
		a.addLocked(key)
		a.mu.Unlock()
	}
}

func (a *anchors) addLocked(key chainKey) {
	if len(a.recent) >= maxProven {
		a.older, a.recent = a.recent, make(map[chainKey]struct{}, maxProven)
	}
	a.recent[key] = struct{}{}
}

// known returns the chains of a peer that were proven and are valid at the time.
func (a *anchors) known(state tls.ConnectionState, at time.Time) [][]*x509.Certificate {
	var known [][]*x509.Certificate
	for _, chain := range state.VerifiedChains {
		if len(chain) > 0 && chain[0].Equal(state.PeerCertificates[0]) && validAt(chain, at) && a.has(keyOf(chain)) {
			known = append(known, chain)
		}
	}
	return known
}

func (a *anchors) has(key chainKey) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.recent[key]; ok {
		return true
	}
	_, ok := a.older[key]
	if ok {
		a.addLocked(key)
	}
	return ok
}

func validAt(chain []*x509.Certificate, at time.Time) bool {
	return !slices.ContainsFunc(chain, func(c *x509.Certificate) bool { return at.Before(c.NotBefore) || at.After(c.NotAfter) })
}

// keyOf names a chain by its content. Each certificate says how long it is, so
// no two chains have the same text.
func keyOf(chain []*x509.Certificate) chainKey {
	hash := sha256.New()
	for _, c := range chain {
		_, _ = hash.Write(c.Raw) // never fails
	}
	return chainKey(hash.Sum(nil))
}
