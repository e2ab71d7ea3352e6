package runtimex_test

import (
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/cgrouptest"
	"github.com/grpcx-go/sdk/runtimex"
)

// TestLiveViews: the limits are found through whatever a container shows of
// the hierarchies.
func TestLiveViews(t *testing.T) {
	q := liveQuotas(t)
	for _, view := range []cgrouptest.View{cgrouptest.Container, cgrouptest.Bind, cgrouptest.Stacked, cgrouptest.Unmounted} {
		t.Run(string(view), func(t *testing.T) {
			g := cgrouptest.New(t, "view").Child("leaf")
			g.SetCPU(q.low)
			g.SetMemory(256 * mib)
			l := startLive(t, g, cgrouptest.Placement{View: view}, liveSpec{Policy: q.policy})
			s := l.first
			t.Logf("GOMAXPROCS %d: %s", s.Procs, s.Report.GOMAXPROCS.Reason)
			t.Logf("GOMEMLIMIT %d: %s", s.Limit, s.Report.GOMEMLIMIT.Reason)
			if s.Procs != int(q.low) && view == cgrouptest.Unmounted {
				// The namespace hides where the group is. That must not
				// look like a machine without limits.
				e := l.event("degraded", func(e liveEvent) bool { return e.Kind == "degraded" })
				t.Log(e.Event.Text)
				assert.Contains(t, e.Event.Text, "/proc/self/mountinfo")
				assert.Contains(t, s.Report.GOMAXPROCS.Reason, "/proc/self/mountinfo")
				assert.Contains(t, s.Report.GOMEMLIMIT.Reason, "/proc/self/mountinfo")
				return
			}
			assert.Equal(t, s.Procs, int(q.low))
			assert.Equal(t, s.Limit, 224*mib)
			for _, e := range l.seen() {
				assert.Equal(t, e.Kind, "tuned", e.Text)
			}
			// The outside changes the limit, as a resize of a pod does.
			since := time.Now()
			g.SetCPU(q.high)
			t.Log("changed from outside after", l.tuned(runtimex.GOMAXPROCS, int64(q.high), since))
		})
	}
}
