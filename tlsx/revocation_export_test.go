package tlsx

import (
	"context"
	"crypto/x509"
	"errors"
	"time"
)

// A CRLSet is what ParseCRLs returns, to be handed to the next call.
type CRLSet = crlSet

// ParseCRLs is parseCRLs for content without a path.
func ParseCRLs(blobs [][]byte, cas []*x509.Certificate, previous *CRLSet, now time.Time) (*CRLSet, error) {
	var named []namedBlob
	for _, b := range blobs {
		named = append(named, namedBlob{data: b})
	}
	set, problems := parseCRLs(named, cas, previous, now)
	var errs []error
	for _, p := range problems {
		errs = append(errs, p)
	}
	return set, errors.Join(errs...)
}

// State looks a certificate up: "missing", "stale", "good" or "revoked".
func (s *crlSet) State(cert, issuer *x509.Certificate, at time.Time) string {
	return []string{"missing", "stale", "good", "revoked"}[s.lookup(cert, issuer, at).state]
}

// VerifyOCSP returns "good", "revoked" or "unknown", or why the response does
// not count.
func VerifyOCSP(raw []byte, leaf, issuer *x509.Certificate, at time.Time) (string, error) {
	r, err := verifyOCSP(raw, leaf, issuer, at)
	if err != nil {
		return "", err
	}
	return []string{"good", "revoked", "unknown"}[r.status], nil
}

// WithStapleFetch is WithOCSPStapling with another way to ask the responder and
// without random delays.
func WithStapleFetch(fetch func(ctx context.Context) ([]byte, error)) ReloaderOption {
	return reloaderOption{"WithStapleFetch", func(r *Reloader) {
		WithOCSPStapling("http://responder.test/").applyReloader(r)
		r.stapler.spread = func(time.Duration) time.Duration { return 0 }
		r.stapler.fetch = func(ctx context.Context, _ []string, leaf, issuer *x509.Certificate) ([]byte, ocspResult, error) {
			raw, err := fetch(ctx)
			if err != nil {
				return nil, ocspResult{}, err
			}
			result, err := verifyOCSP(raw, leaf, issuer, time.Now())
			return raw, result, err
		}
	}}
}

// Staple returns the response that the snapshot staples.
func (s *Snapshot) Staple() []byte { return s.cert().OCSPStaple }
