package tlsx

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"time"
)

// A session carries the OCSP response of its first handshake, and a client that
// resumes cannot bring a newer one. So the session notes when the response goes
// stale, and is not resumed after that: the client makes a full handshake, with
// a new response, instead of being refused.

// stapleMark begins the note in SessionState.Extra, which other code shares.
const stapleMark = "tlsx.ocsp\x00"

// markSession notes the end of the response that the client stapled.
func (p *peerPolicy) markSession(state tls.ConnectionState, session *tls.SessionState) {
	if p.ocsp == OCSPOff || len(state.VerifiedChains) == 0 {
		return
	}
	if end := stapleEnd(state.OCSPResponse, state.VerifiedChains[0]); !end.IsZero() {
		note := binary.BigEndian.AppendUint64([]byte(stapleMark), uint64(end.Unix()))
		session.Extra = append(session.Extra, note)
	}
}

// stapleEnd returns the last moment of a response that was verified before. It
// is zero when there is none.
func stapleEnd(staple []byte, chain []*x509.Certificate) time.Time {
	if len(staple) == 0 || len(chain) < 2 {
		return time.Time{}
	}
	basic, err := parseOCSP(staple)
	if err != nil {
		return time.Time{}
	}
	single, err := basic.Data.find(chain[0], chain[1])
	if err != nil {
		return time.Time{}
	}
	return single.NextUpdate.Add(clockSkew)
}

// lapsed reports whether the response in the session is stale.
func lapsed(session *tls.SessionState, now time.Time) bool {
	for _, extra := range session.Extra {
		if note, ok := bytes.CutPrefix(extra, []byte(stapleMark)); ok && len(note) == 8 {
			return now.After(time.Unix(int64(binary.BigEndian.Uint64(note)), 0))
		}
	}
	return false
}
