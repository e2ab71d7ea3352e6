package promx

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Option changes what is served. Options come from the With functions of this
// package only; the last one of a kind wins.
type Option interface {
	apply(*config) error
}

type option func(*config) error

func (o option) apply(c *config) error { return o(c) }

type config struct {
	registerer prometheus.Registerer
	gatherer   prometheus.Gatherer // nil: no page
	owned      bool                // the registry is ours
	native     bool
}

// WithRegistry registers the metrics with r and serves what g gathers. Both are
// the program's, as [prometheus.DefaultRegisterer] and
// [prometheus.DefaultGatherer] or twice the same [prometheus.Registry]; what the
// program has registered is on the page then. With g nil no page is served and
// no admin listener is needed: the program serves its registry itself. Default:
// a registry of its own.
//
// The collectors go_* and process_* are added where r has none. What is
// registered stays; once the server has stopped, it has no metrics. Servers that
// run at the same time need a registry each: their series have the same names.
func WithRegistry(r prometheus.Registerer, g prometheus.Gatherer) Option {
	return option(func(c *config) error {
		if isNil(r) {
			return errors.New("promx: WithRegistry: the registerer is nil; pass a *prometheus.Registry, or leave the option out")
		}
		if isNil(g) {
			g = nil
		}
		c.registerer, c.gatherer, c.owned = r, g, false
		return nil
	})
}

// WithNativeHistograms records all histograms with exponential buckets (up to 160,
// finer where the values are), which Prometheus calls native. It reads them from
// the protobuf format alone: from 2.40 on with
// --enable-feature=native-histograms, from 3.8 on with scrape_native_histograms.
// Everybody else gets count and sum and no buckets, hence the default:
// histograms with the buckets that docs/telemetry.md names. The dashboard and
// the alerts work with both.
func WithNativeHistograms() Option {
	return option(func(c *config) error {
		c.native = true
		return nil
	})
}

func newConfig(opts []Option) (config, error) {
	own := prometheus.NewRegistry()
	c := config{registerer: own, gatherer: own, owned: true}
	var errs []error
	for _, o := range opts {
		if isNil(o) {
			errs = append(errs, errors.New("promx: an option is nil; leave it out"))
			continue
		}
		errs = append(errs, o.apply(&c))
	}
	return c, errors.Join(errs...)
}
