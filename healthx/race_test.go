package healthx_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// TestConcurrentUse drives everything at once over a real connection, and
// then checks that the last state is the right one and that all streams end.
func TestConcurrentUse(t *testing.T) {
	var seen events
	var logs logBuffer
	r := healthx.NewRegistry(logs.option(), healthx.WithObserver(seen.observe))
	_, client := serve(t, r)
	stop := run(t, r)
	<-r.Ready()

	var writers, watchers sync.WaitGroup
	for i := range 8 {
		watchers.Go(func() {
			stream, err := client.Watch(t.Context(), request(fmt.Sprint("service", i)))
			assert.NoError(t, err)
			last := healthpb.HealthCheckResponse_ServingStatus(-1)
			for {
				resp, err := stream.Recv()
				if err != nil {
					assert.Equal(t, status.Code(err), codes.Unavailable)
					return
				}
				assert.True(t, resp.GetStatus() != last, "the same status twice")
				last = resp.GetStatus()
			}
		})
		writers.Go(func() {
			name := fmt.Sprint("service", i)
			for n := range 20 {
				r.AddService(name, fmt.Sprint("service", n))
				assert.NoError(t, r.SetServing(name, n%2 == 0))
				_, _ = r.Status(name)
				_, err := client.Check(t.Context(), request(name))
				assert.NoError(t, err)
				_, err = client.List(t.Context(), &healthpb.HealthListRequest{})
				assert.NoError(t, err)
				r.Report()
			}
			assert.NoError(t, r.SetServing(name, true))
		})
		writers.Go(func() {
			for n := range 5 {
				assert.NoError(t, r.AddCheck(fmt.Sprint(i, "-", n), func(context.Context) error {
					if n == 4 {
						panic("one of each is broken")
					}
					return nil
				}, healthx.Interval(50*time.Millisecond), healthx.Services(fmt.Sprint("other", n))))
			}
		})
	}
	writers.Wait()
	for i := range 8 {
		expect(t, r, fmt.Sprintf("service%d=SERVING readiness=SERVING", i))
	}

	var enders sync.WaitGroup
	for range 4 {
		enders.Go(r.Drain)
		enders.Go(r.Close)
		enders.Go(func() { r.AddService("last"); _ = r.SetServing("last", true) })
	}
	enders.Go(stop)
	enders.Wait()
	watchers.Wait()
	expect(t, r, "service0=NOT_SERVING last=NOT_SERVING liveness=SERVING")

	// The events of each entry alternate, unless the oldest had to be dropped on
	// a slow machine, and the last one is the present.
	complete := !strings.Contains(strings.Join(logs.lines(), ""), "health events dropped")
	last := map[string]healthx.Status{}
	for _, e := range eventsOf[healthx.StatusChanged](seen.take()) {
		assert.True(t, !complete || e.From == last[e.Service], e.Service)
		assert.True(t, e.To != e.From)
		last[e.Service] = e.To
	}
	for name, want := range last {
		got, _ := r.Status(name)
		assert.Equal(t, got, want, name)
	}
}

// TestNoChangeIsLost waits for every watcher after every change, outside a
// bubble so that wake-ups and new snapshots race on real threads.
func TestNoChangeIsLost(t *testing.T) {
	const watchers, changes = 50, 500
	r := healthx.NewRegistry(quiet)
	r.AddService("a")
	defer run(t, r)()
	<-r.Ready()
	h := direct(r)
	got := make(chan healthpb.HealthCheckResponse_ServingStatus, watchers)
	var ended sync.WaitGroup
	for range watchers {
		ended.Go(func() {
			_ = h.Watch(request("a"), &fakeStream{ctx: context.Background(), send: func(s healthpb.HealthCheckResponse_ServingStatus) error {
				got <- s
				return nil
			}})
		})
	}
	want := serving
	for i := range changes {
		for range watchers {
			select {
			case s := <-got:
				assert.Equal(t, s, want)
			case <-time.After(10 * time.Second):
				t.Fatalf("a watcher missed change %d", i)
			}
		}
		assert.NoError(t, r.SetServing("a", want != serving))
		want = serving + notServing - want
	}
	for range watchers {
		<-got
	}
	r.Close()
	ended.Wait()
}
