package monitoring

import (
	"encoding/json"
	"fmt"
	"strings"
)

// docsURL is where the runbooks are read.
const docsURL = "https://github.com/grpcx-go/sdk/blob/main/promx/alerts/README.md#"

// RulesYAML is the file of rules.
func RulesYAML() string {
	var b strings.Builder
	b.WriteString("# Alerts on servers of grpcx; README.md says what to do about them. Generated:\n" +
		"# to have other thresholds, change a copy.\n" +
		"groups:\n  - name: grpcx\n    rules:\n")
	for _, r := range Records() {
		fmt.Fprintf(&b, "      - record: %s\n        expr: %s\n", r.Name, quote(PromQL(r.Expr)))
	}
	for _, a := range Alerts() {
		fmt.Fprintf(&b, "      - alert: %s\n        expr: %s\n", a.Name, quote(PromQL(a.Expr)))
		if a.For != "" {
			fmt.Fprintf(&b, "        for: %s\n", a.For)
		}
		fmt.Fprintf(&b, "        labels:\n          severity: %s\n", a.Severity)
		fmt.Fprintf(&b, "        annotations:\n          summary: %s\n          description: %s\n          runbook_url: %s\n",
			quote(a.Summary), quote(a.Text), docsURL+strings.ToLower(a.Name))
	}
	return b.String()
}

// quote writes a string that YAML reads: in single quotes, in which a quote is
// two.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Runbooks is the README of the alerts.
func Runbooks() string {
	var b strings.Builder
	b.WriteString("# Alerts\n\n" +
		"[grpcx.yaml](grpcx.yaml) is a file of rules for Prometheus 2.40 and later; Mimir, Thanos and VictoriaMetrics read it too. In `prometheus.yml`:\n\n" +
		"```yaml\nrule_files: [grpcx.yaml]\n```\n\n" +
		"The labels `job` and `instance` are those that Prometheus gives. `critical` means now, `warning` today. " +
		"Generated from the table of instruments behind [docs/telemetry.md](../../docs/telemetry.md); `promtool test rules grpcx_test.yaml` tests it.\n\n" +
		"| alert | severity | after |\n| --- | --- | --- |\n")
	for _, a := range Alerts() {
		after := a.For
		if after == "" {
			after = "at once"
		}
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s |\n", a.Name, strings.ToLower(a.Name), a.Severity, after)
	}
	for _, a := range Alerts() {
		fmt.Fprintf(&b, "\n## %s\n\n```promql\n%s\n```\n\n%s\n", a.Name, PromQL(a.Expr), a.Runbook)
	}
	b.WriteString("\n## Rates\n\nCalls and errors in a second, from histograms with buckets and native ones:\n\n```promql\n")
	for _, r := range Records() {
		fmt.Fprintf(&b, "# %s\n%s\n", r.Name, PromQL(r.Expr))
	}
	b.WriteString("```\n")
	return b.String()
}

// Table is a table of docs/telemetry.md: that of calls or that of the server.
func Table(calls bool) string {
	var b strings.Builder
	b.WriteString("| metric | unit | what | in Prometheus |\n| --- | --- | --- | --- |\n")
	for _, i := range Instruments() {
		if i.Calls == calls {
			fmt.Fprintf(&b, "| `%s` | %s | %s | `%s` |\n", i.Name, i.Unit, i.Text, i.Prometheus())
		}
	}
	return b.String()
}

func indentJSON(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err.Error() // the golden file shows it
	}
	return b.String()
}
