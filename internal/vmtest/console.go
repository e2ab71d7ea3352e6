package vmtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Report is what the console said.
type Report struct {
	Machine Machine
	// Results are in the order of the plan.
	Results []Result
	// Failures say which jobs did not end as the plan wants, and how.
	Failures []string
}

// maxKept bounds what is kept of a job's output to look for Job.Output in.
const maxKept = 1 << 20

// Read follows the console until it ends. The error says what the console
// lacks or has too much of; failures of jobs are no error.
func Read(console io.Reader, plan Plan, out io.Writer) (*Report, error) {
	r := &reader{plan: plan, out: out, report: &Report{}}
	lines := bufio.NewReader(console)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			if err := r.line(strings.TrimRight(line, "\r\n")); err != nil {
				return r.report, err
			}
		}
		if err == io.EOF {
			return r.report, r.end()
		}
		if err != nil {
			return r.report, fmt.Errorf("reading the console: %w", err)
		}
	}
}

type reader struct {
	plan   Plan
	out    io.Writer
	report *Report

	booted, running, done bool
	kept                  strings.Builder
}

func (r *reader) line(line string) error {
	text, marked := strings.CutPrefix(line, Mark)
	if !marked {
		if r.running && r.kept.Len() < maxKept {
			r.kept.WriteString(line + "\n")
		}
		_, err := fmt.Fprintln(r.out, line)
		return err
	}
	var e Event
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return fmt.Errorf("line %q of the console: %w", line, err)
	}
	n := len(r.report.Results)
	switch {
	case e.Kind == KindFatal:
		return fmt.Errorf("init gave up: %s", e.Text)
	case e.Kind == KindMachine && !r.booted && e.Machine != nil:
		r.booted = true
		r.report.Machine = *e.Machine
		m := e.Machine
		_, err := fmt.Fprintf(r.out, "machine: Linux %s, %d-byte pages, %d CPUs, controllers %s\n", m.Kernel, m.PageSize, m.CPUs, m.Controllers)
		return err
	case e.Kind == KindStart && r.booted && !r.running && !r.done && n < len(r.plan.Jobs) && e.Job == r.plan.Jobs[n].Name:
		r.running = true
		r.kept.Reset()
		return nil
	case e.Kind == KindEnd && r.running && e.Job == r.plan.Jobs[n].Name && e.Result != nil:
		r.running = false
		return r.judge(r.plan.Jobs[n], *e.Result)
	case e.Kind == KindDone && !r.running && !r.done && n == len(r.plan.Jobs):
		r.done = true
		return nil
	}
	return fmt.Errorf("line %q of the console is out of place after %d of %d jobs", line, n, len(r.plan.Jobs))
}

// judge compares a result with what the plan wants, and prints it as go test
// would.
func (r *reader) judge(job Job, got Result) error {
	r.report.Results = append(r.report.Results, got)
	verdict, notes := "ok  ", []string(nil)
	if got.Exit != job.Exit {
		notes = append(notes, fmt.Sprintf("%s, want exit status %d", got.Detail, job.Exit))
	}
	if !strings.Contains(r.kept.String(), job.Output) {
		notes = append(notes, fmt.Sprintf("it did not print %q", job.Output))
	}
	if len(notes) == 0 && job.Exit != 0 {
		notes = append(notes, "as wanted: "+got.Detail)
	} else if len(notes) > 0 {
		verdict = "FAIL"
		if got.OOMKills > 0 {
			notes = append(notes, fmt.Sprintf("%d killed for memory", got.OOMKills))
		}
	}
	if got.Left > 0 {
		verdict = "FAIL"
		notes = append(notes, fmt.Sprintf("%d processes left running", got.Left))
	}
	text := fmt.Sprintf("%s\t%s\t%.3fs", verdict, job.Name, got.Seconds)
	if len(notes) > 0 {
		text += "\t(" + strings.Join(notes, "; ") + ")"
	}
	if verdict == "FAIL" {
		r.report.Failures = append(r.report.Failures, text)
	}
	_, err := fmt.Fprintln(r.out, text)
	return err
}

func (r *reader) end() error {
	n := len(r.report.Results)
	switch {
	case r.done:
		return nil
	case r.running:
		return fmt.Errorf("the machine stopped while %s ran, after %d of %d jobs", r.plan.Jobs[n].Name, n, len(r.plan.Jobs))
	case !r.booted:
		return errors.New("the machine stopped before init ran")
	}
	return fmt.Errorf("the machine stopped after %d of %d jobs", n, len(r.plan.Jobs))
}
