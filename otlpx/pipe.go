package otlpx

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// kind is one of the three things that are exported.
type kind string

const (
	traces  kind = "traces"
	metrics kind = "metrics"
	logs    kind = "logs"
)

// A pipe is one signal on its way to the collector: what waits, what became of
// it, and whether the collector takes it. What it says, it says once for each
// change.
type pipe struct {
	kind     kind
	endpoint string
	timeout  time.Duration
	life     context.Context // of the pipeline: exports end with it
	log      *slog.Logger    // does not lead back here
	limit    int64           // of pending; 0: nothing waits

	pending  atomic.Int64 // waiting, or being exported
	exported atomic.Int64
	failed   atomic.Int64
	dropped  atomic.Int64
	full     atomic.Bool // dropping, and said so
	stopping atomic.Bool // finish will say the rest

	mu      sync.Mutex
	failing bool
	reason  string    // of the last failure
	since   time.Time // when failing began
	lost    int64     // failed and dropped when an export last went well
	spilt   int64     // dropped then
}

// admit makes room for one item, or drops it. It never waits.
func (p *pipe) admit() bool {
	if p.pending.Add(1) <= p.limit {
		return true
	}
	p.pending.Add(-1)
	p.dropped.Add(1)
	if !p.full.Load() && p.full.CompareAndSwap(false, true) {
		p.log.Warn("otlpx: queue full, dropping", slog.String("signal", string(p.kind)),
			slog.String("endpoint", p.endpoint), slog.Int64("queue", p.limit))
	}
	return false
}

// send exports n items, for the pipe's timeout at the most, and takes note of
// what became of them. The SDK is not told: it would tell the global error
// handler, each time.
func (p *pipe) send(ctx context.Context, n int64, export func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	defer context.AfterFunc(p.life, cancel)()
	var err error
	if p.life.Err() != nil {
		err = errStopped // queued behind an export that the end of the drain cut
	} else {
		err = export(ctx)
	}
	rejected := n
	if err == nil {
		rejected = 0
	} else if some, ok := partlyRejected(err); ok {
		rejected = min(some, n)
	}
	if rejected == 0 {
		err = nil // or the collector's good advice
	}
	p.failed.Add(rejected)
	p.exported.Add(n - rejected)
	if p.limit > 0 {
		p.pending.Add(-n)
	}
	p.note(err)
}

var errStopped = errors.New("the server has stopped")

// note says when the collector begins to fail, and when it takes what it gets
// again.
func (p *pipe) note(err error) {
	p.mu.Lock()
	was, since, before := p.failing, p.since, p.lost
	lost := p.failed.Load() + p.dropped.Load()
	p.failing = err != nil
	relaxed := false
	if err == nil {
		// Room for one batch is none yet: a slow collector would be said anew
		// with each.
		dropped := p.dropped.Load()
		relaxed = dropped == p.spilt && p.full.CompareAndSwap(true, false)
		p.lost, p.spilt = lost, dropped
	} else {
		p.reason = shorten(err.Error())
		if !was {
			p.since = time.Now()
		}
	}
	reason := p.reason
	p.mu.Unlock()

	switch {
	case p.stopping.Load():
	case err != nil && !was:
		p.log.Warn("otlpx: export failing", slog.String("signal", string(p.kind)),
			slog.String("endpoint", p.endpoint), slog.String("error", reason))
	case err == nil && was:
		p.log.Info("otlpx: export recovered", slog.String("signal", string(p.kind)), slog.String("endpoint", p.endpoint),
			slog.Duration("after", time.Since(since)), p.loss(lost-before))
	}
	if relaxed {
		p.log.Info("otlpx: queue has room again", slog.String("signal", string(p.kind)), slog.Int64("dropped", p.dropped.Load()))
	}
}

// shorten bounds what a collector can write into the log.
func shorten(text string) string {
	const most = 500
	if len(text) > most {
		text = cutText(text, most) + "..."
	}
	text, _ = fixText(text)
	return text
}

// finish says what the end of the drain left undelivered.
func (p *pipe) finish() {
	p.mu.Lock()
	lost, reason := p.failed.Load()+p.dropped.Load()-p.lost, p.reason
	p.mu.Unlock()
	if lost == 0 {
		return
	}
	attrs := []slog.Attr{slog.String("signal", string(p.kind)), slog.String("endpoint", p.endpoint), p.loss(lost)}
	if reason != "" {
		attrs = append(attrs, slog.String("error", reason))
	}
	p.log.LogAttrs(context.Background(), slog.LevelWarn, "otlpx: stopped with telemetry undelivered", attrs...)
}

// loss says how much did not arrive. Metrics are not lost by that: the next
// collection has them.
func (p *pipe) loss(n int64) slog.Attr {
	if p.limit == 0 {
		return slog.Int64("failed", n)
	}
	return slog.Int64("lost", n)
}

func (p *pipe) isFailing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failing
}

// partial is what the exporters say where a collector took all but some; their
// type for it is internal. TestPartialSuccess pins the text.
var partial = regexp.MustCompile(`(?s)OTLP partial success: .* \((\d+) [a-z ]+ rejected\)`)

func partlyRejected(err error) (rejected int64, ok bool) {
	if err == nil {
		return 0, false
	}
	match := partial.FindStringSubmatch(err.Error())
	if match == nil {
		return 0, false
	}
	rejected, err = strconv.ParseInt(match[1], 10, 64)
	return rejected, err == nil
}
