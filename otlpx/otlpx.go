package otlpx

import (
	"context"
	"os"
	"slices"

	"github.com/grpcx-go/sdk/grpcx"
)

// New exports the server's traces, metrics and logs with OTLP, as the variables
// of the environment say; the package documentation lists them. They are read
// when serving starts: one that cannot be used makes Serve fail with an
// [*EnvError]. So does a provider or propagator that an option of the server, or
// another hook, has set already.
//
// Give it before options with stop hooks of their own: hooks run last first, so
// that what they record is exported too.
func New(opts ...Option) grpcx.Option {
	opts = slices.Clone(opts)
	return grpcx.WithSetup(func(ctx context.Context, setup *grpcx.Setup) error {
		c, err := newConfig(os.Getenv, opts)
		if err != nil {
			return err
		}
		return install(ctx, setup, c)
	})
}
