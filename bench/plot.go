package bench

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
)

// WriteSVG writes a bar for each stack, its CPU time under the load (or the
// memory of a connection) beside that of the bare server: the bar ends at the
// median of the rounds, the whisker spans them all, and the grey band is where
// the second bare server lay, which is noise.
func (r *Result) WriteSVG(out io.Writer, l Load) error {
	value, title := Sample.CPUPerCall, "server CPU"
	if l.memory {
		value, title = Sample.InUsePerCall, "server heap and stacks"
	}
	c := chart{title: fmt.Sprintf("%s: %s per %s, bare grpc-go = 1", l.Title, title, l.Unit)}
	rounds := r.Rounds[l.Name]
	for _, name := range r.Config.stacks() {
		s := ratios(rounds[name], rounds[Bare], value)
		if name == BareAgain {
			c.noise = &s
		}
		c.bars = append(c.bars, bar{name, s})
	}
	_, err := io.WriteString(out, c.svg())
	return err
}

type bar struct {
	label string
	spread
}

// chart is a bar chart of ratios.
type chart struct {
	title string
	bars  []bar
	noise *spread
}

// The geometry, in pixels.
const (
	chartWidth  = 760
	labelWidth  = 250
	plotWidth   = 440
	titleHeight = 34
	rowHeight   = 22
	barHeight   = 12
	axisHeight  = 24
)

func (c chart) svg() string {
	top := 1.0
	for _, b := range c.bars {
		top = max(top, b.max)
	}
	step := tick(top)
	top = math.Ceil(top/step) * step
	x := func(v float64) float64 { return labelWidth + plotWidth*max(v, 0)/top }
	bottom := titleHeight + rowHeight*len(c.bars)

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", chartWidth, bottom+axisHeight)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#fff"/>`+"\n"+`<text x="10" y="20" font-size="14" font-weight="bold">%s</text>`+"\n", html.EscapeString(c.title))
	if c.noise != nil {
		fmt.Fprintf(&b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="#ddd"/>`+"\n",
			x(c.noise.min), titleHeight, x(c.noise.max)-x(c.noise.min), bottom-titleHeight)
	}
	for i := range int(math.Round(top/step)) + 1 {
		v := float64(i) * step
		fmt.Fprintf(&b, `<line x1="%.1[1]f" y1="%[2]d" x2="%.1[1]f" y2="%[3]d" stroke="#eee"/><text x="%.1[1]f" y="%[4]d" text-anchor="middle" fill="#555">%.4[5]g</text>`+"\n",
			x(v), titleHeight, bottom, bottom+16, v)
	}
	for i, row := range c.bars {
		middle := titleHeight + rowHeight*i + rowHeight/2
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labelWidth-8, middle+4, html.EscapeString(row.label))
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, labelWidth, middle-barHeight/2, x(row.median)-labelWidth, barHeight, colour(row.label))
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%[2]d" x2="%.1[3]f" y2="%[2]d" stroke="#222"/>`, x(row.min), middle, x(row.max))
		fmt.Fprintf(&b, `<text x="%.1f" y="%d">%.2f</text>`+"\n", x(max(row.max, row.median))+6, middle+4, row.median)
	}
	fmt.Fprintf(&b, `<line x1="%.1[1]f" y1="%[2]d" x2="%.1[1]f" y2="%[3]d" stroke="#888" stroke-dasharray="4 3"/>`+"\n</svg>\n", x(1), titleHeight, bottom)
	return b.String()
}

// tick is the interval of the axis: 1, 2 or 5 times a power of ten, with at
// most eight of them.
func tick(top float64) float64 {
	for power := 0.1; ; power *= 10 {
		for _, m := range []float64{1, 2, 5} {
			if top/(m*power) <= 8 {
				return m * power
			}
		}
	}
}

func colour(stack string) string {
	switch {
	case stack == GRPCX:
		return "#0b6e4f"
	case strings.HasPrefix(stack, GRPCX):
		return "#79b8a0"
	case strings.HasPrefix(stack, Bare):
		return "#7a8fa6"
	default:
		return "#c98a3d"
	}
}
