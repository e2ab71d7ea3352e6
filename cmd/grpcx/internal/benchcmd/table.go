package benchcmd

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// String says how it was measured.
func (s settings) String() string {
	duration := time.Duration(s.DurationSeconds * float64(time.Second))
	return fmt.Sprintf("%d x %v, %d connections with %d calls in flight each, %d idle ones",
		s.Runs, duration, s.Connections, s.CallsInFlight, s.IdleConnections)
}

func (r *report) writeTable(out io.Writer) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	facts := [][2]string{
		{"platform", r.Machine.platform()},
		{"CPU", orUnknown(r.Machine.CPUModel)},
		{"CPUs", r.Machine.cpus()},
		{"features", orUnknown(strings.Join(r.Machine.Features, " "))},
		{"pages", r.Machine.pages()},
		{"software", fmt.Sprintf("grpcx %s, %s, grpc-go %s", r.Software.SDK, r.Software.Go, r.Software.GRPC)},
	}
	if r.Settings.TLS != "" {
		facts = append(facts, [2]string{"TLS", r.Settings.TLS})
	}
	facts = append(facts, [2]string{"measured", r.Settings.String()})
	for _, f := range facts {
		fmt.Fprintf(t, "%s\t%s\n", f[0], f[1])
	}
	_ = t.Flush() // to a strings.Builder, which does not fail
	b.WriteString("\n")
	r.writeFigures(&b)
	if r.ComparedWith != nil {
		r.writeDifferences(&b)
	}
	_, err := io.WriteString(out, printable(b.String()))
	return err
}

func (r *report) writeFigures(b *strings.Builder) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	head := "LOAD\tMETRIC\tMEDIAN\tRANGE\tUNIT"
	if r.ComparedWith != nil {
		head += "\tRATIO\tVERDICT"
	}
	fmt.Fprintln(t, head)
	for _, res := range r.Results {
		name := res.Load
		for _, m := range res.Metrics {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s to %s\t%s", name, strings.ReplaceAll(m.Name, "_", " "),
				figure(m.Median), figure(m.Min), figure(m.Max), m.Unit)
			switch {
			case m.Verdict != "":
				fmt.Fprintf(t, "\t%.2f\t%s", m.Ratio, m.Verdict)
			case r.ComparedWith != nil:
				fmt.Fprint(t, "\t-\tnot measured then")
			}
			fmt.Fprintln(t)
			name = "" // once for all its metrics
		}
	}
	_ = t.Flush()
}

func (r *report) writeDifferences(b *strings.Builder) {
	fmt.Fprintf(b, "\nRatios are to %s of %s.", r.ComparedWith.File, r.ComparedWith.Time)
	list := r.differences()
	if len(list) == 0 {
		b.WriteString(" Machine, software and settings were the same.\n")
		return
	}
	b.WriteString(" What was different:\n")
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, d := range list {
		fmt.Fprintf(t, "  %s\tthen\t%s\n  \tnow\t%s\n", d.name, orUnknown(d.then), orUnknown(d.now))
	}
	_ = t.Flush()
}

// figure shows about three digits.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// printable drops what moves the cursor or the text: the earlier result may be a stranger's,
// and this goes to a terminal.
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if c == '\n' || unicode.IsPrint(c) {
			return c
		}
		return -1
	}, text)
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
