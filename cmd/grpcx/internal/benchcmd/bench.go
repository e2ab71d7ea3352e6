package benchcmd

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// maxWarmUp is enough for connections, buffers and branch predictors.
const maxWarmUp = 500 * time.Millisecond

// bench measures.
type bench struct {
	program  []string // this one, after its emulator if it has one
	duration time.Duration
	runs     int
	loads    []load
	progress *progress // may be nil

	done    int
	samples map[string][]sample // by the name of the load, one per run
	facts   serverFacts
}

// serverFacts are what only servers and connections to them know.
type serverFacts struct {
	gomaxprocs int
	tls        string
}

// sample is what one run of a load gave, by the name of the metric.
type sample map[string]float64

// run measures everything.
func (b *bench) run(ctx context.Context) (_ *report, err error) {
	dir, err := os.MkdirTemp("", "grpcx-bench-*") // mode 0700
	if err != nil {
		return nil, fmt.Errorf("the certificates need a directory: %w; set TMPDIR to one with room", err)
	}
	defer func() {
		if e := os.RemoveAll(dir); e != nil && err == nil {
			err = fmt.Errorf("the certificates of the run could not be removed: %w; remove %s", e, dir)
		}
	}()
	authority, err := devcert.Dir(dir)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	b.samples = map[string][]sample{}
	for range b.runs {
		err := b.round(ctx, nil)
		if err == nil {
			err = b.round(ctx, authority)
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("interrupted after %d of %d measurements; start it again and let it end", b.done, b.total())
		}
		if err != nil {
			return nil, err
		}
	}
	return b.report(began), nil
}

func (b *bench) total() int { return b.runs * len(b.loads) }

// round measures the loads of one transport once, with a server of their own.
// Memory comes first: the stacks that a load has grown shrink for a while after
// it.
func (b *bench) round(ctx context.Context, authority *devcert.Authority) (err error) {
	loads := slices.DeleteFunc(slices.Clone(b.loads), func(l load) bool { return l.tls != (authority != nil) })
	if len(loads) == 0 {
		return nil
	}
	slices.SortStableFunc(loads, func(x, y load) int { return cmp.Compare(rank(x), rank(y)) })
	var (
		o      order
		client *tls.Config
	)
	if authority != nil {
		files := authority.ServerFiles()
		o = order{files.Cert, files.Key, files.ClientCA}
		client = tlsx.ClientConfig(authority.ClientSource(), tlsx.ServerName("localhost"))
	}
	p, err := startProcess(ctx, b.program, o, client)
	if err != nil {
		return err
	}
	defer func() {
		closed := p.close()
		if err != nil {
			err = p.explain("failed", err, closed)
		} else if closed != nil {
			err = p.explain("did not end well", closed, closed)
		}
	}()
	b.facts.gomaxprocs = p.GOMAXPROCS
	if client != nil {
		state, err := handshake(p.ctx, p.Addr, p.rawConfig(), false)
		if err != nil {
			return err
		}
		b.facts.tls = describe(state)
	}
	for _, l := range loads {
		b.progress.note(l.name, b.done, b.total())
		s, err := b.measure(p, l)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		b.samples[l.name] = append(b.samples[l.name], s)
		b.done++
	}
	return nil
}

func rank(l load) int {
	if l.idle() {
		return 0
	}
	return 1
}

// describe names what a machine may choose differently.
func describe(state tls.ConnectionState) string {
	return fmt.Sprintf("%s, %s, %v", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite), state.CurveID)
}

func (b *bench) measure(p *process, l load) (sample, error) {
	if l.idle() {
		defer p.watch(patience+time.Duration(idleConnections)*time.Second/2, "serve idle connections")()
		bytes, err := idleMemory(p.ctx, p)
		return sample{serverMemory: bytes / (1 << 10)}, err
	}
	warmUp := min(b.duration/4, maxWarmUp)
	defer p.watch(patience+b.duration+warmUp, "serve the load")()
	session, err := l.open(p.ctx, p)
	if err != nil {
		return nil, err
	}
	s, err := b.measureSession(p, session, warmUp)
	return s, cmp.Or(err, session.close())
}

func (b *bench) measureSession(p *process, session *session, warmUp time.Duration) (sample, error) {
	if _, err := session.run(warmUp); err != nil {
		return nil, err
	}
	before, err := p.usage(fresh)
	if err != nil {
		return nil, err
	}
	t, err := session.run(b.duration)
	if err != nil {
		return nil, err
	}
	after, err := p.usage(atOnce)
	if err != nil {
		return nil, err
	}
	if after.CPU < before.CPU || after.Allocs < before.Allocs {
		return nil, errors.New("the counters of the system went back; run it again")
	}
	calls := float64(t.calls)
	return sample{
		rate:         calls / t.elapsed.Seconds(),
		serverCPU:    float64(after.CPU-before.CPU) / 1e3 / calls,
		serverAllocs: float64(after.Allocs-before.Allocs) / calls,
		latencyP50:   micros(t.latencies.quantile(0.5)),
		latencyP99:   micros(t.latencies.quantile(0.99)),
	}, nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
