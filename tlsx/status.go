package tlsx

import (
	"crypto/x509"
	"time"
)

// WatchMode says how a [Reloader] notices that its files changed.
type WatchMode string

const (
	// WatchEvents means file system events and, behind them, polls.
	WatchEvents WatchMode = "events+poll"
	// WatchPoll means polls alone: events are switched off or not available.
	WatchPoll WatchMode = "poll"
)

// Status is the state of a [Reloader] at one moment. It holds no secret.
type Status struct {
	// Running is set while [Reloader.Run] watches the files.
	Running bool `json:"running"`
	// WatchMode is empty unless Running.
	WatchMode WatchMode `json:"watch_mode,omitempty"`
	// WatchError says why there are no events; empty when there are, or when
	// they were not asked for.
	WatchError string `json:"watch_error,omitempty"`
	// Generation is that of the current snapshot.
	Generation uint64 `json:"generation"`
	// LastChange is when the current generation was adopted.
	LastChange time.Time `json:"last_change"`
	// LastSuccess is when the files were last found to be what is served.
	LastSuccess time.Time `json:"last_success"`
	// LastAttempt is when the files were last looked at.
	LastAttempt time.Time `json:"last_attempt"`
	// Degraded is set while the files differ from what is served, because they
	// cannot be adopted.
	Degraded bool `json:"degraded"`
	// DegradedSince, Reason and Error say since when and why; zero unless Degraded.
	DegradedSince time.Time    `json:"degraded_since,omitzero"`
	Reason        ReloadReason `json:"reason,omitempty"`
	Error         string       `json:"error,omitempty"`
	// Certificate is the validity of the served chain.
	Certificate Validity `json:"certificate"`
	// CRLs describes the CRLs in use, with their age, and those that are not.
	CRLs []CRLInfo `json:"crls,omitempty"`
	// ClientCA is when all CAs of the bundle are valid at once; zero without CAs.
	ClientCA Validity `json:"client_ca,omitzero"`
}

// Validity is a span of time, both ends included. NotBefore is the latest of
// several certificates, NotAfter the earliest.
type Validity struct {
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
}

func bundleValidity(cas []*x509.Certificate) Validity {
	var v Validity
	for _, ca := range cas {
		if v.NotBefore.IsZero() || ca.NotBefore.After(v.NotBefore) {
			v.NotBefore = ca.NotBefore
		}
		if v.NotAfter.IsZero() || ca.NotAfter.Before(v.NotAfter) {
			v.NotAfter = ca.NotAfter
		}
	}
	return v
}
