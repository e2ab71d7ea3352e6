package healthx_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
)

func BenchmarkCheck(b *testing.B) {
	r := healthx.NewRegistry(quiet)
	for i := range 50 {
		r.AddService(fmt.Sprint("service", i))
	}
	h, in := direct(r), request("service7")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := h.Check(context.Background(), in); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkStatus(b *testing.B) {
	r := healthx.NewRegistry(quiet)
	b.ReportAllocs()
	for b.Loop() {
		r.Status(healthx.Readiness)
	}
}

// BenchmarkFanOut measures one change of status until the last of 1,000
// watchers has sent it, and what a watcher weighs.
func BenchmarkFanOut(b *testing.B) {
	const watchers = 1000
	r := healthx.NewRegistry(quiet)
	r.AddService("a")
	stop := run(b, r)
	<-r.Ready()
	h := direct(r)

	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var sent atomic.Int64
	all := make(chan struct{}, 1)
	var ended sync.WaitGroup
	for range watchers {
		ended.Go(func() {
			_ = h.Watch(request("a"), &fakeStream{ctx: context.Background(), send: func(healthpb.HealthCheckResponse_ServingStatus) error {
				if sent.Add(1)%watchers == 0 {
					all <- struct{}{}
				}
				return nil
			}})
		})
	}
	<-all
	runtime.GC()
	runtime.ReadMemStats(&after)
	heldBytes := float64(after.HeapAlloc+after.StackInuse) - float64(before.HeapAlloc+before.StackInuse)

	b.ReportAllocs()
	serving := false
	for b.Loop() {
		assert.NoError(b, r.SetServing("a", serving))
		serving = !serving
		<-all
	}
	b.ReportMetric(heldBytes/watchers, "B/watcher")
	r.Close()
	ended.Wait()
	stop()
}
