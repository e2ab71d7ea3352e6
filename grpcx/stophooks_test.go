package grpcx_test

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// patientHook waits for the end of its context and then returns its error.
func patientHook() grpcx.Option {
	return grpcx.WithSetup(func(_ context.Context, s *grpcx.Setup) error {
		s.OnStop("flush", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		return nil
	})
}

// A hook that honours its context has failed, and was not abandoned.
func TestHookHonoursItsContext(t *testing.T) {
	inBubble(t, &service{}, func(b *bubble) {
		t := b.t
		begin := time.Now()
		b.signals <- syscall.SIGTERM
		assert.Equal(t, b.drained(begin), 5*time.Second+2250*time.Millisecond)
		assert.ErrorIs(t, b.err, context.DeadlineExceeded)
		assert.ErrorContains(t, b.err, "stop hook flush")
		_, incomplete := errors.AsType[*grpcx.DrainError](b.err)
		assert.True(t, !incomplete, b.err.Error())
	}, patientHook())
}

// A second signal is told to the hook that runs.
func TestHookLearnsOfTheSecondSignal(t *testing.T) {
	inBubble(t, &service{}, func(b *bubble) {
		t := b.t
		begin := time.Now()
		b.signals <- os.Interrupt
		time.Sleep(time.Second)
		synctest.Wait()
		b.signals <- syscall.SIGTERM
		assert.Equal(t, b.drained(begin), time.Second)
		assert.ErrorIs(t, b.err, context.Canceled)
		_, incomplete := errors.AsType[*grpcx.DrainError](b.err)
		assert.True(t, !incomplete, b.err.Error())
	}, patientHook())
}
