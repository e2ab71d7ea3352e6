package healthx

import (
	"slices"
	"strings"
	"time"
)

// Report is a snapshot of a registry for HTTP probes and debug pages. It
// carries the error text of checks, so show it to operators only.
type Report struct {
	// Time is when the report was made.
	Time time.Time `json:"time"`
	// Running is set while [Registry.Run] runs.
	Running bool `json:"running"`
	// Draining is set from Drain, Close or the end of Run on.
	Draining bool `json:"draining"`
	// Services has every entry, sorted by name. Readiness is there once,
	// under that name.
	Services []ServiceReport `json:"services"`
	// Checks has every check in the order added.
	Checks []CheckReport `json:"checks"`
}

// ServiceReport is the state of one entry.
type ServiceReport struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Since is when the entry got its status.
	Since time.Time `json:"since"`
	// Reason says why the entry does not serve; empty when it does.
	Reason string `json:"reason,omitempty"`
}

// CheckReport is the state of one check.
type CheckReport struct {
	Name          string     `json:"name"`
	State         CheckState `json:"state"`
	Informational bool       `json:"informational,omitempty"`
	// Services are the entries that the check affects; empty means all.
	Services []string `json:"services,omitempty"`
	// Error is the text of the last result, at most 1 KiB and a mark where it
	// was cut; empty after a success.
	Error string `json:"error,omitempty"`
	// LastCheck, LastSuccess and LastFailure are when results came in; zero
	// if there was none.
	LastCheck   time.Time `json:"last_check,omitzero"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	LastFailure time.Time `json:"last_failure,omitzero"`
	// Duration is how long the last result took, in nanoseconds in JSON.
	Duration time.Duration `json:"duration_ns"`
	// ConsecutiveSuccesses and ConsecutiveFailures count results in a row;
	// one of them is zero.
	ConsecutiveSuccesses int `json:"consecutive_successes"`
	ConsecutiveFailures  int `json:"consecutive_failures"`
	// Successes and Failures count all results.
	Successes uint64 `json:"successes"`
	Failures  uint64 `json:"failures"`
	// RunningSince is when the execution in progress started; zero if none.
	RunningSince time.Time `json:"running_since,omitzero"`
	// Overdue is set while a check runs on although its timeout has passed:
	// it ignores its context and is not started again until it returns.
	Overdue bool `json:"overdue,omitempty"`
}

// Report returns the state of all entries and checks at one moment. The
// caller owns it. It runs no check.
func (r *Registry) Report() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	rep := Report{
		Time:     time.Now(),
		Running:  r.runCtx != nil && !r.stopped,
		Draining: r.draining,
		Services: make([]ServiceReport, 0, len(r.entries)),
		Checks:   make([]CheckReport, 0, len(r.checks)),
	}
	for _, e := range r.entries {
		rep.Services = append(rep.Services, ServiceReport{Name: e.name, Status: e.status, Since: e.since, Reason: e.reason})
	}
	slices.SortFunc(rep.Services, func(a, b ServiceReport) int { return strings.Compare(a.Name, b.Name) })
	for _, c := range r.checks {
		rep.Checks = append(rep.Checks, c.report())
	}
	return rep
}

func (c *check) report() CheckReport {
	rep := CheckReport{
		Name:                 c.name,
		State:                c.state,
		Informational:        c.config.informational,
		Services:             slices.Clone(c.config.services),
		Error:                c.err,
		LastCheck:            c.checkedAt,
		LastSuccess:          c.succeedAt,
		LastFailure:          c.failedAt,
		Duration:             c.duration,
		ConsecutiveSuccesses: c.succeeded,
		ConsecutiveFailures:  c.failed,
		Successes:            c.successes,
		Failures:             c.failures,
		Overdue:              c.overdue,
	}
	if c.current != nil {
		rep.RunningSince = c.current.started
	}
	return rep
}
