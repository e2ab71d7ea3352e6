package grpcx

import (
	"context"
	"log/slog"
	"time"

	"github.com/grpcx-go/sdk/tlsx"
)

// startTLS watches the TLS files, where the server owns them, and keeps the
// open connections to their trust.
func (r *run) startTLS(ctx context.Context) {
	ctx, r.stopTLS = context.WithCancel(ctx)
	if r.keeper == nil {
		return
	}
	if reloader := r.cfg.transport.reloader; reloader != nil {
		r.goTLS(func() {
			if err := reloader.Run(ctx); err != nil {
				r.logger().Error("grpcx: the TLS files are not watched", slog.Any("error", err))
			}
		})
	}
	r.goTLS(func() { r.keeper.run(ctx) })
}

func (r *run) goTLS(f func()) {
	done := make(chan struct{})
	r.tlsDone = append(r.tlsDone, done)
	go func() {
		defer close(done)
		f()
	}()
}

// TLSStatus is the state of a server's TLS at one moment. It holds no secret.
type TLSStatus struct {
	// Generation is that of the snapshot that new connections get.
	Generation uint64 `json:"generation"`
	// Trust is the generation of its trust: CAs, CRLs and allowed peers.
	Trust uint64 `json:"trust"`
	// NotAfter is when the served certificate, or the first of its chain,
	// expires.
	NotAfter time.Time `json:"not_after"`
	// Connections counts the open connections by the trust that last accepted
	// their peer. Those of an older one than Trust are draining, kept or
	// rejected; see [Distrust].
	Connections map[uint64]int `json:"connections"`
	// Handshakes counts the handshakes that succeeded, Resumed those of them
	// that resumed a session.
	Handshakes uint64 `json:"handshakes"`
	Resumed    uint64 `json:"resumed"`
	// Refused counts the handshakes that failed, by what was wrong with the
	// peer; the empty reason stands for what says nothing about the peer, such
	// as a connection that broke.
	Refused map[tlsx.PeerReason]uint64 `json:"refused"`
	// Distrusted counts the open connections that were no longer accepted.
	Distrusted map[tlsx.PeerReason]uint64 `json:"distrusted"`
	// CRLs describes the CRLs in use.
	CRLs []tlsx.CRLInfo `json:"crls,omitempty"`
	// Files is the state of the reloader, nil with [WithTLS].
	Files *tlsx.Status `json:"files,omitempty"`
}

// TLSStatus returns the state of TLS; false for a server in plaintext.
func (s *Server) TLSStatus() (TLSStatus, bool) {
	if s.keeper == nil {
		return TLSStatus{}, false
	}
	now := s.cfg.transport.source.Current()
	status := s.keeper.status()
	status.Generation, status.Trust = now.Generation(), now.TrustGeneration()
	status.NotAfter, status.CRLs = now.NotAfter(), now.CRLs()
	if reloader := s.cfg.transport.reloader; reloader != nil {
		files := reloader.Status()
		status.Files = &files
	}
	return status, true
}
