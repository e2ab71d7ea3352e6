package healthx_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// script is a check that answers from a list, then with its last element.
func script(results ...error) func(context.Context) error {
	i := -1
	return func(context.Context) error {
		i = min(i+1, len(results)-1)
		return results[i]
	}
}

var errDown = errors.New("connection refused")

func TestCheckSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		begin := time.Now()
		var starts []time.Duration
		assert.NoError(t, r.AddCheck("db", func(context.Context) error {
			starts = append(starts, time.Since(begin))
			time.Sleep(time.Second) // the interval is from start to start
			return nil
		}, healthx.InitialDelay(3*time.Second), healthx.Interval(7*time.Second), healthx.Jitter(0)))
		stop := run(t, r)
		time.Sleep(3*time.Second + 500*time.Millisecond)
		expect(t, r, "readiness=NOT_SERVING startup=NOT_SERVING liveness=SERVING")
		assert.Equal(t, checkReport(t, r, "db").RunningSince, begin.Add(3*time.Second))
		time.Sleep(20 * time.Second)
		expect(t, r, "readiness=SERVING startup=SERVING")
		stop()
		assert.Equal(t, starts, []time.Duration{3 * time.Second, 10 * time.Second, 17 * time.Second})
	})
}

func TestDefaultIntervalAndJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		var starts []time.Time
		assert.NoError(t, r.AddCheck("db", func(context.Context) error {
			starts = append(starts, time.Now())
			return nil
		}))
		stop := run(t, r)
		time.Sleep(20 * time.Minute)
		stop()
		different := false
		for i := range len(starts) - 1 {
			d := starts[i+1].Sub(starts[i])
			assert.True(t, d >= 9*time.Second && d <= 11*time.Second, d.String())
			different = different || d != starts[1].Sub(starts[0])
		}
		assert.True(t, different, "no jitter")
		assert.True(t, len(starts) > 110 && len(starts) < 130)
	})
}

func TestThresholds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		// At second:                             0        1    2        3        4    5        6        7        8    9        10   11
		assert.NoError(t, r.AddCheck("db", script(errDown, nil, errDown, errDown, nil, errDown, errDown, errDown, nil, errDown, nil, nil),
			healthx.Interval(time.Second), healthx.Jitter(0), healthx.SuccessThreshold(2)))
		defer run(t, r)()
		const pass, fail = healthx.CheckPassing, healthx.CheckFailing
		for i, want := range []healthx.CheckState{fail, pass, pass, pass, pass, pass, pass, fail, fail, fail, fail, pass, pass} {
			synctest.Wait()
			assert.Equal(t, checkReport(t, r, "db").State, want, "at second", time.Duration(i).String())
			status, _ := r.Status("")
			assert.Equal(t, status == healthx.Serving, want == pass)
			time.Sleep(time.Second)
		}
		expect(t, r, "startup=SERVING")
	})
}

func TestStartupStaysWhenChecksFailLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		opts := []healthx.CheckOption{healthx.Interval(time.Second), healthx.Jitter(0), healthx.FailureThreshold(1)}
		assert.NoError(t, r.AddCheck("a", script(nil, errDown), opts...))
		assert.NoError(t, r.AddCheck("b", script(errDown, errDown, nil), opts...))
		assert.NoError(t, r.AddCheck("extra", script(errDown), append(opts, healthx.Informational())...))
		defer run(t, r)()
		synctest.Wait()
		expect(t, r, "startup=NOT_SERVING readiness=NOT_SERVING")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		// a has failed again meanwhile: startup asks for one success each.
		expect(t, r, "startup=SERVING readiness=NOT_SERVING liveness=SERVING")
		assert.NoError(t, r.AddCheck("later", script(errDown), opts...))
		synctest.Wait()
		expect(t, r, "startup=SERVING")
	})
}

func TestServicesLimitsWhatACheckAffects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		r.AddService("a", "b", "c")
		assert.NoError(t, r.AddCheck("one", script(errDown), healthx.Services("a", "later")))
		assert.NoError(t, r.AddCheck("info", script(errDown), healthx.Informational()))
		stop := run(t, r)
		synctest.Wait()
		expect(t, r, "readiness=SERVING startup=SERVING a=NOT_SERVING b=SERVING c=SERVING")
		r.AddService("later")
		expect(t, r, "later=NOT_SERVING")
		assert.NoError(t, r.AddCheck("two", script(errDown), healthx.Services("b", "")))
		synctest.Wait()
		expect(t, r, "=NOT_SERVING readiness=NOT_SERVING a=NOT_SERVING b=NOT_SERVING c=SERVING")
		stop()
	})
}

func TestCheckAddedToALiveServerDoesNotInterruptIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen events
		r := healthx.NewRegistry(quiet, healthx.WithObserver(seen.observe))
		r.AddService("a")
		defer run(t, r)()
		synctest.Wait()
		seen.take()
		assert.NoError(t, r.AddCheck("late", healthy, healthx.InitialDelay(time.Minute)))
		r.AddService("new") // never served, so it waits for the check
		expect(t, r, "readiness=SERVING a=SERVING new=NOT_SERVING")
		time.Sleep(time.Minute)
		synctest.Wait()
		expect(t, r, "readiness=SERVING a=SERVING new=SERVING")
		changes := eventsOf[healthx.StatusChanged](seen.take())
		assert.Equal(t, len(changes), 1)
		assert.Equal(t, changes[0].Service, "new")
	})
}

func TestCheckGetsItsTimeoutAndTheValuesOfRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		r := healthx.NewRegistry(quiet)
		var left time.Duration
		var value any
		assert.NoError(t, r.AddCheck("db", func(ctx context.Context) error {
			deadline, _ := ctx.Deadline()
			left, value = time.Until(deadline), ctx.Value(key{})
			return nil
		}))
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "v"), 8*time.Second)
		defer cancel()
		assert.NoError(t, r.Run(ctx))
		assert.Equal(t, left, 5*time.Second)
		assert.Equal(t, value, any("v"))
	})
}

// TestQuickChecksNeverTimeOut runs many short executions in a row: the end of
// one, which also ends its context, must not be taken for its timeout.
func TestQuickChecksNeverTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		for _, name := range []string{"a", "b", "c", "d"} {
			assert.NoError(t, r.AddCheck(name, healthy, healthx.Interval(10*time.Millisecond), healthx.Jitter(0)))
		}
		stop := run(t, r)
		time.Sleep(10*time.Second - 1)
		stop()
		for _, c := range r.Report().Checks {
			assert.Equal(t, c.Successes, 1000)
			assert.Equal(t, c.Failures, 0, c.Error)
		}
	})
}

func TestObedientCheckTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen events
		r := healthx.NewRegistry(quiet, healthx.WithObserver(seen.observe))
		begin := time.Now()
		var starts []time.Duration
		assert.NoError(t, r.AddCheck("db", func(ctx context.Context) error {
			starts = append(starts, time.Since(begin))
			<-ctx.Done()
			return ctx.Err()
		}, healthx.Jitter(0)))
		stop := run(t, r)
		time.Sleep(5*time.Second - 1)
		assert.Equal(t, checkReport(t, r, "db").State, healthx.CheckPending)
		time.Sleep(16 * time.Second)
		stop()
		assert.Equal(t, starts, []time.Duration{0, 10 * time.Second, 20 * time.Second})
		results := eventsOf[healthx.CheckDone](seen.take())
		assert.Equal(t, len(results), 2, "a result that the end of Run caused does not count")
		for _, e := range results {
			assert.ErrorIs(t, e.Err, context.DeadlineExceeded)
			timeout, ok := errors.AsType[*healthx.TimeoutError](e.Err)
			assert.True(t, ok && timeout.Timeout == 5*time.Second)
			assert.Equal(t, e.Duration, 5*time.Second)
		}
		assert.Equal(t, checkReport(t, r, "db").Error, "no answer within 5s")
	})
}

func TestStuckCheckIsCountedOnceAndNotStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen events
		r := healthx.NewRegistry(quiet, healthx.WithObserver(seen.observe))
		begin := time.Now()
		var running, most, calls atomic.Int32
		assert.NoError(t, r.AddCheck("stuck", func(context.Context) error {
			calls.Add(1)
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			time.Sleep(32 * time.Second)
			return nil // too late to count
		}, healthx.Jitter(0)))
		var others atomic.Int32
		assert.NoError(t, r.AddCheck("other", func(context.Context) error { others.Add(1); return nil }, healthx.Jitter(0)))
		stop := run(t, r)

		time.Sleep(5*time.Second + 1)
		rep := checkReport(t, r, "stuck")
		assert.True(t, rep.Overdue)
		assert.Equal(t, rep.RunningSince, begin)
		assert.Equal(t, rep.State, healthx.CheckFailing)
		assert.Equal(t, rep.Failures, 1)

		time.Sleep(31*time.Second - 1) // at 36 s
		rep = checkReport(t, r, "stuck")
		assert.True(t, !rep.Overdue && rep.RunningSince.IsZero())
		assert.Equal(t, rep.Failures, 1)
		assert.Equal(t, rep.Successes, 0)
		assert.Equal(t, others.Load(), 4, "one stuck check must not hold up another")

		time.Sleep(6*time.Second + 1) // it returned at 32 s and starts again at 42 s
		assert.Equal(t, calls.Load(), 2)
		assert.Equal(t, most.Load(), 1)

		before := time.Now()
		stop()
		assert.Equal(t, time.Since(before), time.Second, "Run waits 1 s for a check within its timeout")
		abandoned := eventsOf[healthx.CheckAbandoned](seen.take())
		assert.Equal(t, len(abandoned), 1)
		assert.Equal(t, abandoned[0].Check, "stuck")
		assert.Equal(t, abandoned[0].Since, begin.Add(42*time.Second))
		time.Sleep(time.Minute) // lets the abandoned goroutine end inside the bubble
	})
}

func TestRunDoesNotWaitForOverdueChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		release := make(chan struct{})
		for _, name := range []string{"a", "b"} {
			assert.NoError(t, r.AddCheck(name, func(context.Context) error { <-release; return nil }))
		}
		stop := run(t, r)
		time.Sleep(6 * time.Second)
		before := time.Now()
		stop()
		assert.Equal(t, time.Since(before), 0)
		assert.True(t, checkReport(t, r, "a").Overdue)
		close(release)
	})
}

func TestRunWaitsOnceForAllChecksInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		for _, name := range []string{"a", "b", "c"} {
			assert.NoError(t, r.AddCheck(name, func(context.Context) error { time.Sleep(4 * time.Second); return nil }))
		}
		stop := run(t, r)
		time.Sleep(time.Second)
		before := time.Now()
		stop()
		assert.Equal(t, time.Since(before), time.Second)
		time.Sleep(time.Minute)
	})
}

type brokenError struct{ text string }

func (e *brokenError) Error() string { return e.text }       // panics on nil
func (e *brokenError) Unwrap() error { panic(e.text + "!") } // always panics

func TestHostileChecks(t *testing.T) {
	var nilError *brokenError
	tests := []struct {
		name  string
		check func(context.Context) error
		text  string
		is    error
	}{
		{"panic", func(context.Context) error { panic("boom") }, "panic: boom", nil},
		{"panic with error", func(context.Context) error { panic(errDown) }, "panic: connection refused", errDown},
		{"panic with nil", func(context.Context) error { panic(nil) }, "panic: " + new(runtime.PanicNilError).Error(), nil},
		{"goexit", func(context.Context) error { runtime.Goexit(); return nil }, healthx.ErrGoexit.Error(), healthx.ErrGoexit},
		{"typed nil", func(context.Context) error { return nilError }, "*healthx_test.brokenError without text", nil},
		{"empty text", func(context.Context) error { return errors.New("") }, "*errors.errorString without text", nil},
		{"panicking unwrap at the timeout", func(ctx context.Context) error {
			<-ctx.Done()
			return &brokenError{"late"}
		}, "panic: late!", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen events
				r := healthx.NewRegistry(quiet, healthx.WithObserver(seen.observe))
				assert.NoError(t, r.AddCheck("db", tt.check, healthx.Jitter(0)))
				stop := run(t, r)
				time.Sleep(6 * time.Second)
				rep := checkReport(t, r, "db")
				assert.Equal(t, rep.State, healthx.CheckFailing)
				if tt.name == "panicking unwrap at the timeout" && rep.Error == "no answer within 5s" {
					rep.Error = tt.text // both happen at the same instant; either may win
				}
				assert.Equal(t, rep.Error, tt.text)
				time.Sleep(10 * time.Second)
				assert.Equal(t, checkReport(t, r, "db").ConsecutiveFailures, 2, "the check must run on")
				stop()
				if tt.is != nil {
					assert.ErrorIs(t, eventsOf[healthx.CheckDone](seen.take())[0].Err, tt.is)
				}
			})
		})
	}
}
