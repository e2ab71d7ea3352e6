package benchcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
)

// maxReport is the size of the largest JSON that is read. That of the largest
// run is a tenth of it.
const maxReport = 1 << 20

// comparedWith is what the ratios of a report refer to.
type comparedWith struct {
	File     string   `json:"file"`
	Time     string   `json:"time"`
	Machine  machine  `json:"machine"`
	Software software `json:"software"`
	Settings settings `json:"settings"`
}

// readReport reads an earlier JSON.
func readReport(name string) (*report, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, cli.Usagef("bench: --compare: %w; name a file that grpcx bench -o json wrote", err)
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxReport+1))
	if err != nil {
		return nil, cli.Usagef("bench: --compare: %w; name a file that grpcx bench -o json wrote", err)
	}
	r, err := parseReport(text)
	if err != nil {
		return nil, cli.Usagef("bench: --compare %s: %w", name, err)
	}
	return r, nil
}

func parseReport(text []byte) (*report, error) {
	if len(text) > maxReport {
		return nil, fmt.Errorf("it has more than %d bytes; name a file that grpcx bench -o json wrote", maxReport)
	}
	// The schema first: the fields of another one may have other types.
	var head struct {
		Schema *string `json:"schema"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("it is no JSON of grpcx bench: %w; write one with -o json", err)
	}
	if head.Schema == nil {
		return nil, errors.New(`it has no "schema"; name a file that grpcx bench -o json wrote`)
	}
	if *head.Schema != schema {
		return nil, fmt.Errorf("its schema is %q and this grpcx reads %q; measure again, or compare with the grpcx that wrote it", *head.Schema, schema)
	}
	r := &report{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("it is damaged: %w; measure again", err)
	}
	if len(r.Results) == 0 {
		return nil, errors.New("it has no results; measure again")
	}
	return r, nil
}

// The verdicts.
const (
	betterVerdict  = "better"
	worseVerdict   = "worse"
	unclearVerdict = "unclear"
)

// enoughRuns is how many it takes on either side for their ranges to say
// something.
const enoughRuns = 3

// leastFigure is the least one but 0 that a report holds, see rounded.
const leastFigure = 1e-3

// compareWith adds ratios to the metrics that both have.
func (r *report) compareWith(earlier *report, file string) {
	r.ComparedWith = &comparedWith{file, earlier.Time, earlier.Machine, earlier.Software, earlier.Settings}
	for i := range r.Results {
		then := earlier.result(r.Results[i].Load)
		if then == nil {
			continue
		}
		metrics := r.Results[i].Metrics
		for j := range metrics {
			if m := then.metric(metrics[j].Name); m != nil && m.Unit == metrics[j].Unit && m.Median >= leastFigure {
				metrics[j].compareWith(m)
			}
		}
	}
}

func (r *result) metric(name string) *metric {
	for i := range r.Metrics {
		if r.Metrics[i].Name == name {
			return &r.Metrics[i]
		}
	}
	return nil
}

func (m *metric) compareWith(then *metric) {
	m.Ratio = rounded(m.Median / then.Median)
	few := min(len(m.Values), len(then.Values)) < enoughRuns
	switch {
	case few || m.Min <= then.Max && then.Min <= m.Max:
		m.Verdict = unclearVerdict
	case (m.Min > then.Max) == (m.Better == higher):
		m.Verdict = betterVerdict
	default:
		m.Verdict = worseVerdict
	}
}

// difference is one between what a report and the earlier one were measured
// with.
type difference struct{ name, then, now string }

func (r *report) differences() []difference {
	c := r.ComparedWith
	all := []difference{
		{"platform", c.Machine.platform(), r.Machine.platform()},
		{"CPU", c.Machine.CPUModel, r.Machine.CPUModel},
		{"CPUs", c.Machine.cpus(), r.Machine.cpus()},
		{"features", strings.Join(c.Machine.Features, " "), strings.Join(r.Machine.Features, " ")},
		{"pages", c.Machine.pages(), r.Machine.pages()},
		{"grpcx", c.Software.SDK, r.Software.SDK},
		{"Go", c.Software.Go, r.Software.Go},
		{"grpc-go", c.Software.GRPC, r.Software.GRPC},
		{"measured", c.Settings.String(), r.Settings.String()},
	}
	if c.Settings.TLS != "" && r.Settings.TLS != "" { // where both had loads with TLS
		all = append(all, difference{"TLS", c.Settings.TLS, r.Settings.TLS})
	}
	var differ []difference
	for _, d := range all {
		if d.then != d.now {
			differ = append(differ, d)
		}
	}
	return differ
}
