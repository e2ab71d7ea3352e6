package healthx_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
)

func TestAddCheckRefusesMistakes(t *testing.T) {
	type opts = []healthx.CheckOption
	tests := []struct {
		name   string
		check  string
		fn     func(context.Context) error
		opts   opts
		option string
		text   []string
	}{
		{"no name", "", healthy, nil, "", []string{`check ""`, "the name is empty"}},
		{"control character", "a\nb", healthy, nil, "", []string{`check "a\nb"`, "not printable"}},
		{"invalid UTF-8", "a\xff", healthy, nil, "", []string{"not printable"}},
		{"nil function", "db", nil, nil, "", []string{`check "db"`, "the function is nil"}},
		{"nil option", "db", healthy, opts{nil}, "", []string{`check "db"`, "leave it out"}},
		{"negative interval", "db", healthy, opts{healthx.Interval(-1)}, "Interval", []string{`check "db": Interval`, "-1ns", "10ms or more"}},
		{"tiny interval", "db", healthy, opts{healthx.Interval(time.Millisecond)}, "Interval", []string{"1ms is too short"}},
		{"negative timeout", "db", healthy, opts{healthx.Timeout(-time.Second)}, "Timeout", []string{"-1s is negative"}},
		{"timeout above interval", "db", healthy, opts{healthx.Timeout(3 * time.Second), healthx.Interval(2 * time.Second)}, "Timeout",
			[]string{"3s is longer than the interval of 2s", "raise Interval"}},
		{"negative failure threshold", "db", healthy, opts{healthx.FailureThreshold(-1)}, "FailureThreshold", []string{"-1 is negative"}},
		{"negative success threshold", "db", healthy, opts{healthx.SuccessThreshold(-1)}, "SuccessThreshold", []string{"-1 is negative"}},
		{"negative delay", "db", healthy, opts{healthx.InitialDelay(-1)}, "InitialDelay", []string{"-1ns is negative"}},
		{"negative jitter", "db", healthy, opts{healthx.Jitter(-0.1)}, "Jitter", []string{"-0.1 is out of range"}},
		{"large jitter", "db", healthy, opts{healthx.Jitter(0.6)}, "Jitter", []string{"0.6", "to 0.5"}},
		{"NaN jitter", "db", healthy, opts{healthx.Jitter(math.NaN())}, "Jitter", []string{"NaN"}},
		{"no services", "db", healthy, opts{healthx.Services()}, "Services", []string{"no name given", "Informational"}},
		{"liveness", "db", healthy, opts{healthx.Services("a", "liveness")}, "Services", []string{`"liveness"`, "never affected"}},
		{"startup", "db", healthy, opts{healthx.Services("startup")}, "Services", []string{`"startup"`, `"readiness"`}},
		{"a mistake is not undone by a later option", "db", healthy, opts{healthx.Interval(-1), healthx.Interval(time.Second)}, "Interval", []string{"-1ns"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := healthx.NewRegistry(quiet)
			err := r.AddCheck(tt.check, tt.fn, tt.opts...)
			assert.ErrorContains(t, err, tt.text...)
			var failed *healthx.CheckError
			if !errors.As(err, &failed) {
				t.Fatalf("got %T, want *healthx.CheckError", err)
			}
			assert.Equal(t, failed.Check, tt.check)
			assert.Equal(t, failed.Option, tt.option)
			assert.Equal(t, len(r.Report().Checks), 0, "a refused check must not stay")
		})
	}
}

func TestDuplicateCheck(t *testing.T) {
	r := healthx.NewRegistry(quiet)
	assert.NoError(t, r.AddCheck("db", healthy))
	err := r.AddCheck("db", healthy)
	assert.ErrorIs(t, err, healthx.ErrDuplicateCheck)
	assert.ErrorContains(t, err, `"db"`)
	assert.Equal(t, len(r.Report().Checks), 1)
}

func TestDefaultsFitEachOther(t *testing.T) {
	for _, opts := range [][]healthx.CheckOption{
		nil,
		{healthx.Interval(time.Second)},     // shorter than the default timeout
		{healthx.Timeout(20 * time.Second)}, // longer than the default interval
		{healthx.Interval(0), healthx.Timeout(0), healthx.FailureThreshold(0), healthx.SuccessThreshold(0), healthx.InitialDelay(0), healthx.Jitter(0)},
		{healthx.Interval(time.Hour), healthx.Interval(0)},
	} {
		assert.NoError(t, healthx.NewRegistry(quiet).AddCheck("db", healthy, opts...), fmt.Sprint(opts))
	}
}

func TestServicesOptionCopiesItsNames(t *testing.T) {
	names := []string{"b", "a", "", "b"}
	opt := healthx.Services(names...)
	names[0] = "changed"
	r := healthx.NewRegistry(quiet)
	assert.NoError(t, r.AddCheck("db", healthy, opt))
	rep := r.Report()
	assert.Equal(t, rep.Checks[0].Services, []string{"a", "b", "readiness"})
	rep.Checks[0].Services[0] = "changed"
	assert.Equal(t, r.Report().Checks[0].Services[0], "a", "a report must be the caller's own")
}

func TestOptionsPrint(t *testing.T) {
	assert.Equal(t, fmt.Sprint([]healthx.CheckOption{
		healthx.Interval(time.Second), healthx.Timeout(500 * time.Millisecond), healthx.FailureThreshold(2), healthx.SuccessThreshold(1),
		healthx.InitialDelay(0), healthx.Jitter(0.2), healthx.Services("a", "b"), healthx.Informational(),
	}), "[Interval(1s) Timeout(500ms) FailureThreshold(2) SuccessThreshold(1) InitialDelay(0s) Jitter(0.2) Services([a b]) Informational]")
	assert.Equal(t, fmt.Sprint(healthx.WithLogger(nil), healthx.WithObserver(nil)), "WithLogger WithObserver")
}
