package healthx_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
)

func TestEventsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen events
		r := healthx.NewRegistry(quiet, healthx.WithObserver(seen.observe))
		r.AddService("a")
		assert.NoError(t, r.AddCheck("db", script(nil, errDown), healthx.Jitter(0), healthx.FailureThreshold(1), healthx.Services("a")))
		begin := time.Now()
		stop := run(t, r)
		time.Sleep(11 * time.Second)
		stop()
		later, end := begin.Add(10*time.Second), begin.Add(11*time.Second)
		assert.Equal(t, seen.take(), []healthx.Event{
			healthx.StatusChanged{Time: begin, Service: "liveness", To: healthx.Serving},
			healthx.StatusChanged{Time: begin, Service: "readiness", To: healthx.Serving},
			healthx.StatusChanged{Time: begin, Service: "startup", To: healthx.Serving},
			healthx.CheckDone{Time: begin, Check: "db", To: healthx.CheckPassing},
			healthx.StatusChanged{Time: begin, Service: "a", To: healthx.Serving},
			healthx.CheckDone{Time: later, Check: "db", Err: errDown, From: healthx.CheckPassing, To: healthx.CheckFailing},
			healthx.StatusChanged{Time: later, Service: "a", From: healthx.Serving, Reason: "failing checks: db"},
			healthx.StatusChanged{Time: end, Service: "readiness", From: healthx.Serving, Reason: "draining"},
			healthx.StatusChanged{Time: end, Service: "startup", From: healthx.Serving, Reason: "draining"},
		})
	})
}

func TestObserverMayCallTheRegistry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *healthx.Registry
		r = healthx.NewRegistry(quiet, healthx.WithObserver(func(e healthx.Event) {
			if c, ok := e.(healthx.StatusChanged); ok && c.Service == "a" && c.To == healthx.Serving {
				r.Report()
				assert.NoError(t, r.SetServing("b", false))
			}
		}))
		r.AddService("a", "b")
		defer run(t, r)()
		synctest.Wait()
		expect(t, r, "a=SERVING b=NOT_SERVING")
	})
}

func TestHostileObserverAndLogHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs logBuffer
		var seen events
		r := healthx.NewRegistry(logs.option(),
			healthx.WithObserver(func(e healthx.Event) {
				if c, ok := e.(healthx.StatusChanged); ok && c.Service == healthx.Liveness {
					runtime.Goexit()
				}
				panic("observer boom")
			}),
			healthx.WithObserver(seen.observe))
		assert.NoError(t, r.AddCheck("db", healthy, healthx.Jitter(0)))
		stop := run(t, r)
		time.Sleep(11 * time.Second)
		expect(t, r, "readiness=SERVING")
		stop()
		assert.Equal(t, len(eventsOf[healthx.CheckDone](seen.take())), 2, "the second observer and the check go on")
		assert.Contains(t, strings.Join(logs.lines(), ""), "health observer panicked", "observer boom")
	})
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(healthx.WithLogger(slog.New(panicHandler{})))
		assert.NoError(t, r.AddCheck("db", script(errDown, nil), healthx.Jitter(0)))
		defer run(t, r)()
		time.Sleep(11 * time.Second)
		expect(t, r, "readiness=SERVING")
	})
}

type panicHandler struct{}

func (panicHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (panicHandler) Handle(context.Context, slog.Record) error { panic("handler boom") }
func (h panicHandler) WithAttrs([]slog.Attr) slog.Handler      { return h }
func (h panicHandler) WithGroup(string) slog.Handler           { return h }

func TestStuckObserverHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var logs logBuffer
		var concurrent, seen atomic.Int32
		r := healthx.NewRegistry(logs.option(), healthx.WithObserver(func(healthx.Event) {
			assert.Equal(t, concurrent.Add(1), 1, "observers must not run concurrently")
			defer concurrent.Add(-1)
			seen.Add(1)
			<-release
		}))
		assert.NoError(t, r.AddCheck("db", script(nil, errDown), healthx.Jitter(0), healthx.FailureThreshold(1)))
		stop := run(t, r)
		time.Sleep(11 * time.Second)
		expect(t, r, "readiness=NOT_SERVING")
		for range 1000 {
			assert.NoError(t, r.SetServing("liveness", false))
			assert.NoError(t, r.SetServing("liveness", true))
		}
		before := time.Now()
		r.Drain()
		assert.Equal(t, time.Since(before), 0)
		stop()
		assert.Equal(t, time.Since(before), time.Second, "Run waits 1 s for observers")
		assert.Equal(t, seen.Load(), 1)
		close(release)
		synctest.Wait()
		assert.True(t, seen.Load() > 500 && seen.Load() <= 1025, fmt.Sprint(seen.Load()))
		assert.Contains(t, strings.Join(logs.lines(), ""), "health events dropped")
	})
}

func TestLogsChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs logBuffer
		r := healthx.NewRegistry(logs.option())
		r.AddService("a")
		assert.NoError(t, r.AddCheck("db", script(nil, errDown, errDown, errDown, errors.New("other"), nil), healthx.Interval(time.Second), healthx.Jitter(0)))
		assert.NoError(t, r.AddCheck("typo", healthy, healthx.Services("misspelt", "a")))
		stop := run(t, r)
		time.Sleep(30 * time.Second)
		stop()
		var got []string
		for _, line := range logs.lines() {
			_, line, _ = strings.Cut(strings.TrimSpace(line), "level=")
			if !strings.Contains(line, "check=typo") {
				got = append(got, line)
			}
		}
		// The two checks finish their first run in either order.
		assert.True(t, len(got) >= 4)
		text := strings.Join(got, "\n")
		assert.Contains(t, text,
			`WARN msg="health checks name services that are not registered; check the spelling or call AddService" services=misspelt`,
			`INFO msg="health check passing" check=db duration=0s`,
			`WARN msg="health check failing" check=db duration=0s error="connection refused" failures=3`,
			`WARN msg="health status changed" not_serving="[a readiness]" reason="failing checks: db"`,
			`INFO msg="health status changed" serving="[a readiness]"`,
			`INFO msg="health status changed" not_serving="[a readiness startup]" reason=draining`)
		assert.Equal(t, strings.Count(text, "check=db"), 3, text)
		assert.NotContains(t, text, "other")
	})
}

func TestLogHasTheStackOfAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs logBuffer
		r := healthx.NewRegistry(logs.option())
		assert.NoError(t, r.AddCheck("db", panickingCheck, healthx.Jitter(0)))
		stop := run(t, r)
		time.Sleep(time.Minute)
		stop()
		text := strings.Join(logs.lines(), "")
		assert.Contains(t, text, `error="panic: boom"`)
		assert.Equal(t, strings.Count(text, "healthx_test.panickingCheck("), 1)
	})
}

func panickingCheck(context.Context) error { panic("boom") }
