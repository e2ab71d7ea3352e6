package tlsx

import "time"

// Stapled reports that an OCSP response is stapled to the own certificate from
// now on.
type Stapled struct {
	Time                   time.Time
	ThisUpdate, NextUpdate time.Time
}

// StapleFailed reports that no OCSP response for the own certificate could be
// had. It is sent for every attempt; there are at most 60 in an hour.
type StapleFailed struct {
	Time time.Time
	Err  error
	// StapledUntil is when the last good response ends, zero when none is
	// stapled.
	StapledUntil time.Time
}

// StapleDropped reports that the last response reached its nextUpdate and is no
// longer stapled.
type StapleDropped struct{ Time time.Time }

// CertificateRevoked reports that the OCSP responder calls the own certificate
// revoked. It is served on, without a response, until it is replaced.
type CertificateRevoked struct {
	Time, RevokedAt time.Time
	Reason          string
}

func (Stapled) event()            {}
func (StapleFailed) event()       {}
func (StapleDropped) event()      {}
func (CertificateRevoked) event() {}
