package healthx_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
)

func TestReportJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		r.AddService("a")
		assert.NoError(t, r.AddCheck("db", script(nil, errDown), healthx.Services("a"), healthx.Jitter(0), healthx.FailureThreshold(1)))
		assert.NoError(t, r.AddCheck("later", healthy, healthx.Informational(), healthx.InitialDelay(time.Hour)))
		stop := run(t, r)
		time.Sleep(11 * time.Second)
		rep := r.Report()
		got, err := json.MarshalIndent(rep, "", "  ")
		assert.NoError(t, err)
		// A bubble starts at midnight UTC 2000-01-01.
		assert.Equal(t, strings.ReplaceAll(string(got), rep.Time.Format("-07:00"), "Z"), `{
  "time": "2000-01-01T00:00:11Z",
  "running": true,
  "draining": false,
  "services": [
    {
      "name": "a",
      "status": "NOT_SERVING",
      "since": "2000-01-01T00:00:10Z",
      "reason": "failing checks: db"
    },
    {
      "name": "liveness",
      "status": "SERVING",
      "since": "2000-01-01T00:00:00Z"
    },
    {
      "name": "readiness",
      "status": "SERVING",
      "since": "2000-01-01T00:00:00Z"
    },
    {
      "name": "startup",
      "status": "SERVING",
      "since": "2000-01-01T00:00:00Z"
    }
  ],
  "checks": [
    {
      "name": "db",
      "state": "failing",
      "services": [
        "a"
      ],
      "error": "connection refused",
      "last_check": "2000-01-01T00:00:10Z",
      "last_success": "2000-01-01T00:00:00Z",
      "last_failure": "2000-01-01T00:00:10Z",
      "duration_ns": 0,
      "consecutive_successes": 0,
      "consecutive_failures": 1,
      "successes": 1,
      "failures": 1
    },
    {
      "name": "later",
      "state": "pending",
      "informational": true,
      "duration_ns": 0,
      "consecutive_successes": 0,
      "consecutive_failures": 0,
      "successes": 0,
      "failures": 0
    }
  ]
}`)
		var back healthx.Report
		assert.NoError(t, json.Unmarshal(got, &back))
		assert.Equal(t, back.Services[0].Status, healthx.NotServing)
		assert.Equal(t, back.Checks[0].State, healthx.CheckFailing)
		stop()
		rep = r.Report()
		assert.True(t, !rep.Running && rep.Draining)
	})
}

func TestReportReasons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		r.AddService("a")
		reason := func(name string) string {
			for _, s := range r.Report().Services {
				if s.Name == name {
					return s.Reason
				}
			}
			return "no such entry"
		}
		assert.NoError(t, r.AddCheck("slow", healthy, healthx.InitialDelay(time.Minute)))
		assert.Equal(t, reason("a"), "not running")
		defer run(t, r)()
		synctest.Wait()
		assert.Equal(t, reason("a"), "waiting for checks: slow")
		assert.Equal(t, reason("startup"), "waiting for checks: slow")
		assert.NoError(t, r.AddCheck("db", script(errDown)))
		assert.NoError(t, r.AddCheck("cache", script(errDown)))
		synctest.Wait()
		assert.Equal(t, reason("readiness"), "failing checks: db, cache")
		assert.NoError(t, r.SetServing("a", false))
		assert.Equal(t, reason("a"), "switched off")
		assert.Equal(t, reason("liveness"), "")
		r.Drain()
		assert.Equal(t, reason("a"), "draining")
	})
}

func TestErrorTextIsBoundedAndValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, text := range []string{strings.Repeat("é", 5000), "x" + strings.Repeat("é", 5000), strings.Repeat("\xff", 5000), strings.Repeat("a\xff", 600), "short \xff"} {
			r := healthx.NewRegistry(quiet)
			assert.NoError(t, r.AddCheck("db", script(errors.New(text))))
			stop := run(t, r)
			synctest.Wait()
			got := checkReport(t, r, "db").Error
			assert.True(t, len(got) <= 1024+len("…") && utf8.ValidString(got), got)
			if len(text) > 1024 {
				assert.True(t, strings.HasSuffix(got, "…"), got)
			}
			stop()
		}
	})
}

func FuzzStatusText(f *testing.F) {
	for _, seed := range []string{"SERVING", "NOT_SERVING", "pending", "passing", "failing", "", "serving", "UNKNOWN"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var status healthx.Status
		if err := status.UnmarshalText([]byte(text)); err == nil {
			assert.Equal(t, status.String(), text)
		} else {
			assert.ErrorContains(t, err, "use SERVING or NOT_SERVING")
		}
		var state healthx.CheckState
		if err := state.UnmarshalText([]byte(text)); err == nil {
			assert.Equal(t, state.String(), text)
		} else {
			assert.ErrorContains(t, err, "use pending, passing or failing")
		}
	})
}
