package healthx_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
)

func TestNothingServesBeforeRun(t *testing.T) {
	r := healthx.NewRegistry(quiet)
	r.AddService("a")
	expect(t, r, "=NOT_SERVING readiness=NOT_SERVING liveness=NOT_SERVING startup=NOT_SERVING a=NOT_SERVING b=unknown")
	assert.NoError(t, r.SetServing("a", true))
	expect(t, r, "a=NOT_SERVING")
	select {
	case <-r.Ready():
		t.Error("ready before Run")
	default:
	}
}

func TestRunWithoutChecksServesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		r.AddService("a")
		stop := run(t, r)
		<-r.Ready()
		expect(t, r, "=SERVING readiness=SERVING liveness=SERVING startup=SERVING a=SERVING")
		r.AddService("b", "a")
		expect(t, r, "a=SERVING b=SERVING")
		stop()
		// Nobody checks any more, so nothing may claim to serve.
		expect(t, r, "=NOT_SERVING readiness=NOT_SERVING liveness=SERVING startup=NOT_SERVING a=NOT_SERVING b=NOT_SERVING")
	})
}

func TestSecondRunIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		stop := run(t, r)
		synctest.Wait()
		assert.ErrorIs(t, r.Run(t.Context()), healthx.ErrRunCalled)
		expect(t, r, "readiness=SERVING")
		stop()
		assert.ErrorIs(t, r.Run(t.Context()), healthx.ErrRunCalled)
	})
}

func TestRunWithEndedContextNeverServes(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var seen events
	r := healthx.NewRegistry(quiet, healthx.WithObserver(seen.observe))
	called := make(chan struct{}, 1)
	assert.NoError(t, r.AddCheck("db", func(context.Context) error { called <- struct{}{}; return nil }))
	assert.NoError(t, r.Run(ctx))
	expect(t, r, "readiness=NOT_SERVING liveness=SERVING")
	assert.Equal(t, len(called), 0)
	for _, e := range eventsOf[healthx.StatusChanged](seen.take()) {
		assert.Equal(t, e.Service, healthx.Liveness)
	}
	assert.ErrorIs(t, r.AddCheck("late", healthy), healthx.ErrStopped)
}

func TestReservedNamesKeepTheirMeaning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		r.AddService("", "readiness", "liveness", "startup", "bad\xff")
		assert.NoError(t, r.AddCheck("db", func(context.Context) error { return errors.New("down") }))
		defer run(t, r)()
		synctest.Wait()
		expect(t, r, "=NOT_SERVING readiness=NOT_SERVING liveness=SERVING startup=NOT_SERVING bad\xff=unknown")
		assert.Equal(t, len(r.Report().Services), 3)
	})
}

func TestSetServing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		r.AddService("a", "b")
		defer run(t, r)()
		synctest.Wait()

		assert.NoError(t, r.SetServing("a", false))
		expect(t, r, "readiness=SERVING a=NOT_SERVING b=SERVING")
		assert.NoError(t, r.SetServing("a", true))
		expect(t, r, "a=SERVING")

		assert.NoError(t, r.SetServing("", false))
		expect(t, r, "=NOT_SERVING readiness=NOT_SERVING startup=SERVING a=SERVING")
		assert.NoError(t, r.SetServing("readiness", true))
		expect(t, r, "=SERVING readiness=SERVING")

		assert.NoError(t, r.SetServing("liveness", false))
		expect(t, r, "liveness=NOT_SERVING readiness=SERVING")

		err := r.SetServing("nope", true)
		assert.ErrorIs(t, err, healthx.ErrUnknownService)
		assert.ErrorContains(t, err, `"nope"`, "AddService")
		assert.ErrorContains(t, r.SetServing("startup", true), `"startup"`, "AddCheck")
	})
}

func TestSwitchedOnStillNeedsItsChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		r.AddService("a")
		assert.NoError(t, r.AddCheck("db", func(context.Context) error { return errors.New("down") }))
		defer run(t, r)()
		synctest.Wait()
		assert.NoError(t, r.SetServing("a", true))
		expect(t, r, "a=NOT_SERVING")
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		r.AddService("a")
		calls := 0
		assert.NoError(t, r.AddCheck("db", func(context.Context) error { calls++; return nil }, healthx.Jitter(0)))
		defer run(t, r)()
		synctest.Wait()
		const drained = "=NOT_SERVING readiness=NOT_SERVING liveness=SERVING startup=NOT_SERVING a=NOT_SERVING b=NOT_SERVING"
		r.Drain()
		r.AddService("b")
		expect(t, r, drained)
		r.Drain()
		assert.NoError(t, r.SetServing("a", true))
		time.Sleep(25 * time.Second)
		synctest.Wait()
		expect(t, r, drained)
		assert.Equal(t, calls, 3, "checks go on while draining")
		r.Close()
		r.Close()
		expect(t, r, drained)
	})
}

func TestDrainAndCloseBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, end := range []func(*healthx.Registry){(*healthx.Registry).Drain, (*healthx.Registry).Close} {
			r := healthx.NewRegistry(quiet)
			end(r)
			stop := run(t, r)
			synctest.Wait()
			expect(t, r, "readiness=NOT_SERVING liveness=SERVING startup=NOT_SERVING")
			stop()
		}
	})
}

func TestReadyStaysClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		begin := time.Now()
		up := errors.New("starting")
		assert.NoError(t, r.AddCheck("db", func(context.Context) error {
			if time.Since(begin) < 15*time.Second {
				return up
			}
			return nil
		}, healthx.Jitter(0)))
		defer run(t, r)()
		<-r.Ready()
		assert.Equal(t, time.Since(begin), 20*time.Second)
		r.Drain()
		<-r.Ready()
	})
}

func TestStatusDoesNotAllocate(t *testing.T) {
	r := healthx.NewRegistry(quiet)
	r.AddService("a")
	assert.Equal(t, testing.AllocsPerRun(100, func() { r.Status("a") }), 0.0)
}
