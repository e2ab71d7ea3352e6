package grpcx

import (
	"fmt"
	"time"
)

// Distrust says what happens to an open connection whose peer is no longer
// accepted: its CA was removed, its certificate expired, a CRL is out of date,
// or the list of allowed peers changed. A peer whose certificate is revoked is
// always cut at once. The zero value leaves every default in place.
type Distrust struct {
	// Action is what happens. Default [DistrustDrain].
	Action DistrustAction `json:"action" doc:"what happens to a connection whose peer is no longer accepted"`
	// Grace is how long calls may go on with DistrustDrain before the
	// connection is closed. Default 30s.
	Grace time.Duration `json:"grace" doc:"how long its calls may go on with drain"`
}

// DistrustAction is what happens to a connection whose peer is no longer
// accepted. Its text form is "drain", "keep", "reject" or "close".
type DistrustAction uint8

const (
	// DistrustDrain asks the client to go (GOAWAY), lets the calls in flight
	// end, and closes the connection after Distrust.Grace. A client whose
	// certificate was renewed reconnects without losing a call.
	DistrustDrain DistrustAction = iota + 1
	// DistrustKeep leaves the connection alone, but for a line in the log.
	DistrustKeep
	// DistrustReject answers new calls with Unauthenticated and lets those in
	// flight go on.
	DistrustReject
	// DistrustClose closes the connection at once.
	DistrustClose
)

var distrustNames = [...]string{"default", "drain", "keep", "reject", "close"}

// String returns the text form.
func (a DistrustAction) String() string {
	if int(a) < len(distrustNames) {
		return distrustNames[a]
	}
	return fmt.Sprintf("DistrustAction(%d)", uint8(a))
}

// MarshalText returns the text form.
func (a DistrustAction) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the text form.
func (a *DistrustAction) UnmarshalText(text []byte) error {
	for i, name := range distrustNames[1:] {
		if string(text) == name {
			*a = DistrustAction(i + 1)
			return nil
		}
	}
	return fmt.Errorf("%q is not an action; use drain, keep, reject or close", text)
}

// WithDistrust sets what happens to open connections whose peer is no longer
// accepted; zero fields leave earlier values alone.
func WithDistrust(d Distrust) Option {
	return newOption("WithDistrust", fmt.Sprintf("%+v", d), func(s *settings) error {
		if int(d.Action) >= len(distrustNames) {
			return optionErrorf("WithDistrust", "Action", "is %d; use one of the Distrust constants", d.Action)
		}
		merge(&s.distrust, d)
		return nil
	})
}

func defaultDistrust() Distrust { return Distrust{Action: DistrustDrain, Grace: 30 * time.Second} }

// MarshalJSON writes durations as text, for example "5s".
func (d Distrust) MarshalJSON() ([]byte, error) { return marshalConfig(d) }

// UnmarshalJSON reads durations as text, for example "5s". Unknown keys are
// errors; keys that are absent leave their field as it was.
func (d *Distrust) UnmarshalJSON(data []byte) error { return unmarshalConfig(data, d) }
