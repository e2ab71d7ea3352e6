package healthx_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// TestFlappingIsDamped counts how often readiness changes when a check fails
// at random with probability p, against the expected number: a run of n equal
// results of probability q takes (1-q^n)/(q^n(1-q)) results on average. The
// table in docs/health.md has the expected ones.
func TestFlappingIsDamped(t *testing.T) {
	const hours = 10
	for _, thresholds := range [][2]int{{1, 1}, {3, 1}, {3, 3}} {
		for _, p := range []float64{0.1, 0.3, 0.5} {
			t.Run(fmt.Sprint(thresholds, p), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					random := rand.New(rand.NewPCG(1, 2))
					changes := 0
					r := healthx.NewRegistry(quiet, healthx.WithObserver(func(e healthx.Event) {
						if c, ok := e.(healthx.StatusChanged); ok && c.Service == healthx.Readiness {
							changes++
						}
					}))
					assert.NoError(t, r.AddCheck("db", func(context.Context) error {
						if random.Float64() < p {
							return errDown
						}
						return nil
					}, healthx.Jitter(0), healthx.FailureThreshold(thresholds[0]), healthx.SuccessThreshold(thresholds[1])))
					stop := run(t, r)
					time.Sleep(hours * time.Hour)
					stop()

					mean := func(q float64, n int) float64 {
						return (1 - math.Pow(q, float64(n))) / (math.Pow(q, float64(n)) * (1 - q))
					}
					cycle := mean(p, thresholds[0]) + mean(1-p, thresholds[1])
					want := 2 * hours * time.Hour.Seconds() / 10 / cycle
					t.Logf("%.1f changes an hour, expected %.1f", float64(changes)/hours, want/hours)
					assert.True(t, math.Abs(float64(changes)-want) < 4+4*math.Sqrt(want), fmt.Sprint(changes, " changes, want about ", want))
				})
			})
		}
	}
}

// TestAlternatingResultsChangeNothing: the default thresholds ask for three
// failures in a row.
func TestAlternatingResultsChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen events
		r := healthx.NewRegistry(quiet, healthx.WithObserver(seen.observe))
		n := -1
		assert.NoError(t, r.AddCheck("db", func(context.Context) error {
			if n++; n%3 > 0 {
				return errDown
			}
			return nil
		}, healthx.Jitter(0)))
		stop := run(t, r)
		synctest.Wait()
		seen.take()
		time.Sleep(time.Hour)
		assert.Equal(t, len(eventsOf[healthx.StatusChanged](seen.take())), 0)
		stop()
	})
}
