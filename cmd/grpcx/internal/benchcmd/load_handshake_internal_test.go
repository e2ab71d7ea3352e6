package benchcmd

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

const (
	settings0 = "\x00\x00\x06\x04\x00\x00\x00\x00\x00" + "\x00\x03\x00\x00\x00\xfa"
	window    = "\x00\x00\x04\x08\x00\x00\x00\x00\x00" + "\x00\x01\x00\x00"
	ack       = "\x00\x00\x00\x04\x01\x00\x00\x00\x00"
)

func TestAcknowledged(t *testing.T) {
	for _, frames := range []string{ack, settings0 + ack, settings0 + window + ack + "more"} {
		assert.NoError(t, acknowledged(strings.NewReader(frames)))
	}
	for _, frames := range []string{"", settings0, settings0 + window[:11], ack[:8]} {
		err := acknowledged(strings.NewReader(frames))
		assert.True(t, errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF), frames)
	}
	assert.ErrorContains(t, acknowledged(strings.NewReader(strings.Repeat(window, maxFrames)+ack)), "did not acknowledge SETTINGS within 16 frames")
}

// What a server sends makes the client neither hang nor read on for ever.
func FuzzAcknowledged(f *testing.F) {
	for _, seed := range []string{"", ack, settings0 + window + ack, strings.Repeat(window, 20), "\xff\xff\xff\x04\x01"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, frames []byte) {
		if acknowledged(bytes.NewReader(frames)) == nil && !bytes.Contains(frames, []byte{4}) {
			t.Errorf("%q has no SETTINGS", frames)
		}
	})
}
