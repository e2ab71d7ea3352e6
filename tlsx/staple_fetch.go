package tlsx

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/crypto/ocsp"
)

// fetchTimeout bounds one request to a responder, from the dial to the last
// byte.
const fetchTimeout = 10 * time.Second

// A fetcher asks OCSP responders over HTTP (RFC 6960, appendix A).
type fetcher struct{ client *http.Client }

func newFetcher() *fetcher {
	return &fetcher{&http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment,
			// There are hours between two requests.
			DisableKeepAlives: true,
		},
		// A redirect would turn the POST into a GET, and can lead anywhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// fetch asks the responders in turn and returns the first answer that verifies,
// whatever it says.
func (f *fetcher) fetch(ctx context.Context, responders []string, leaf, issuer *x509.Certificate) ([]byte, ocspResult, error) {
	// SHA-1 is what every responder knows (RFC 5019, section 2.1.1).
	var request []byte
	var err error
	forNaming(func() {
		request, err = ocsp.CreateRequest(leaf, issuer, &ocsp.RequestOptions{Hash: crypto.SHA1})
	})
	if err != nil {
		return nil, ocspResult{}, fmt.Errorf("no OCSP request can be made for the certificate: %w", err)
	}
	var errs []error
	for _, responder := range responders {
		raw, err := f.post(ctx, responder, request)
		if err != nil {
			errs = append(errs, fmt.Errorf("OCSP responder %s: %w", shownTerm(responder), err))
			continue
		}
		result, err := verifyOCSP(raw, leaf, issuer, time.Now())
		if err != nil {
			errs = append(errs, fmt.Errorf("OCSP responder %s: the response %w", shownTerm(responder), err))
			continue
		}
		return raw, result, nil
	}
	return nil, ocspResult{}, errors.Join(errs...)
}

func (f *fetcher) post(ctx context.Context, responder string, request []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, responder, bytes.NewReader(request))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/ocsp-request")
	r.Header.Set("Accept", "application/ocsp-response")
	resp, err := f.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %d, not 200", resp.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxOCSPSize+1))
	switch {
	case err != nil:
		return nil, err
	case len(raw) > maxOCSPSize:
		return nil, fmt.Errorf("answered more than %d bytes", maxOCSPSize)
	}
	return raw, nil
}

// checkResponderURL checks a URL that the operator gave.
func checkResponderURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("tlsx: OCSP responder %s is not an http or https URL; write http://host/path", shownTerm(raw))
	}
	return nil
}

// respondersOf returns the responders that the certificate names and that can
// be asked over HTTP.
func respondersOf(leaf *x509.Certificate) []string {
	var out []string
	for _, responder := range leaf.OCSPServer {
		if checkResponderURL(responder) == nil {
			out = append(out, responder)
		}
	}
	return out
}

// issuerOf finds the certificate that signed the leaf of the snapshot: in the
// served chain, or else in the bundle.
func (s *Snapshot) issuerOf() *x509.Certificate {
	for _, list := range [][]*x509.Certificate{s.chain[1:], s.cas} {
		for _, cert := range list {
			if mayIssue(cert, s.leaf) && s.leaf.CheckSignatureFrom(cert) == nil {
				return cert
			}
		}
	}
	return nil
}
