package bench

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

// A chunk in which a call fails is measured again, and counted once; a server
// that fails every time is an error.
func TestMeasureAgain(t *testing.T) {
	self, err := Self()
	assert.NoError(t, err)
	self.Stacks = []string{Bare}
	f, err := startFleet(t.Context(), Config{Programs: []Program{self}}, "")
	assert.NoError(t, err)
	defer func() { assert.NoError(t, f.close()) }()

	refused := errors.New("refused")
	failures := 0
	load := Load{Name: "flaky", open: func(ctx context.Context, p *process) (session, error) {
		if failures > 0 {
			failures--
			return nil, refused
		}
		return unary{size: 64}.open(ctx, p)
	}}
	var notes []string
	note := func(text string) { notes = append(notes, text) }

	total := map[string]Sample{}
	failures = attempts - 1
	assert.NoError(t, f.measure(t.Context(), load, 10, total, note))
	assert.Equal(t, total[Bare].Calls, 10)
	assert.Equal(t, notes, []string{"measured again: bare, load flaky: refused", "measured again: bare, load flaky: refused"})

	failures = attempts
	err = f.measure(t.Context(), load, 10, total, note)
	assert.ErrorIs(t, err, refused)
	assert.ErrorContains(t, err, "bare, load flaky")
	assert.Equal(t, total[Bare].Calls, 10)
}

// What a call must be is checked, so that a server that fails fast is not a
// fast server.
func TestLoadsCheckReplies(t *testing.T) {
	assert.NoError(t, echoed(response(64), nil, 64))
	assert.ErrorContains(t, echoed(response(0), nil, 64), "0 bytes, want 64")
	assert.ErrorIs(t, echoed(nil, context.Canceled, 64), context.Canceled)
}

func response(size int) *grpc_testing.SimpleResponse {
	return &grpc_testing.SimpleResponse{Payload: &grpc_testing.Payload{Body: make([]byte, size)}}
}
