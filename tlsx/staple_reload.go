package tlsx

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
)

// WithOCSPStapling staples an OCSP response (RFC 6960) to the own certificate,
// as peers that check revocation ask for. [Reloader.Run] fetches it over HTTP
// from responder, or with "" from those that the certificate names, at once and
// again at half the life of each response, outside of any handshake. While that
// fails, the last response is stapled on, until its nextUpdate. Only a response
// that verifies and says good is stapled; the observer receives [Stapled],
// [StapleFailed], [StapleDropped] and [CertificateRevoked].
//
// The issuer's certificate must be in the chain or in the CA bundle. Each new
// response is a generation of its own, in which nothing but the response differs.
func WithOCSPStapling(responder string) ReloaderOption {
	return reloaderOption{fmt.Sprintf("WithOCSPStapling(%q)", responder), func(r *Reloader) {
		r.stapler = newStapler(responder, r.adoptStaple, r.noteStaple)
	}}
}

// check returns what is wrong with the option.
func (s *stapler) check() error {
	if s == nil || s.responder == "" {
		return nil
	}
	return checkResponderURL(s.responder)
}

// startStapling starts the stapler, if there is one, and returns a function that
// waits for its end, which comes with that of ctx.
func (r *Reloader) startStapling(ctx context.Context) (wait func()) {
	if r.stapler == nil {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.stapler.run(ctx, r)
	}()
	return func() { <-done }
}

// adoptStaple makes a generation with the response. It has no say in what the
// files hold: if they brought another certificate meanwhile, it is dropped.
func (r *Reloader) adoptStaple(leaf *x509.Certificate, staple []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	current := r.Current()
	if !current.leaf.Equal(leaf) || bytes.Equal(current.cert().OCSPStaple, staple) {
		return
	}
	next := current.withStaple(staple)
	before := r.current.Swap(&generation{next, make(chan struct{})})
	close(before.changed)
	r.st.Generation = next.generation
	r.publish()
}

func (r *Reloader) noteStaple(event Event) {
	n := notice{event: event, level: slog.LevelInfo}
	switch e := event.(type) {
	case Stapled:
		n.msg = "tls OCSP response stapled"
		n.attrs = []slog.Attr{slog.Time("this_update", e.ThisUpdate), slog.Time("next_update", e.NextUpdate)}
	case StapleFailed:
		n.level, n.msg = slog.LevelWarn, "tls OCSP response not renewed"
		n.attrs = []slog.Attr{slog.String("error", e.Err.Error()), slog.Time("stapled_until", e.StapledUntil)}
	case StapleDropped:
		n.level, n.msg = slog.LevelWarn, "tls OCSP response dropped: it reached its nextUpdate"
	case CertificateRevoked:
		n.level, n.msg = slog.LevelError, "tls certificate is revoked, says its OCSP responder; replace it"
		n.attrs = []slog.Attr{slog.Time("revoked_at", e.RevokedAt), slog.String("reason", e.Reason)}
	}
	r.notices.add(n)
	r.notices.deliverAside()
}
