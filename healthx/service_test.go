package healthx_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
)

func request(service string) *healthpb.HealthCheckRequest {
	return &healthpb.HealthCheckRequest{Service: service}
}

func TestCheckAndList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		r.AddService("a", "b")
		const secret = "password=hunter2"
		assert.NoError(t, r.AddCheck("db", script(errors.New(secret)), healthx.Services("b")))
		_, client := serve(t, r)
		defer run(t, r)()
		synctest.Wait()

		want := map[string]healthpb.HealthCheckResponse_ServingStatus{
			"": serving, "readiness": serving, "liveness": serving, "startup": serving, "a": serving, "b": notServing,
		}
		for name, status := range want {
			resp, err := client.Check(t.Context(), request(name))
			assert.NoError(t, err)
			assert.Equal(t, resp.GetStatus(), status, name)
			assert.NotContains(t, resp.String(), "hunter2")
		}
		list, err := client.List(t.Context(), &healthpb.HealthListRequest{})
		assert.NoError(t, err)
		got := make(map[string]healthpb.HealthCheckResponse_ServingStatus)
		for name, resp := range list.GetStatuses() {
			got[name] = resp.GetStatus()
		}
		assert.Equal(t, got, want)

		_, err = client.Check(t.Context(), request("nope"))
		assert.Equal(t, status.Code(err), codes.NotFound)
	})
}

func TestListIsBounded(t *testing.T) {
	r := healthx.NewRegistry(quiet)
	for i := range 96 { // with "", readiness, liveness and startup: 100
		r.AddService(fmt.Sprint("service", i))
	}
	list, err := direct(r).List(t.Context(), &healthpb.HealthListRequest{})
	assert.NoError(t, err)
	assert.Equal(t, len(list.GetStatuses()), 100)
	r.AddService("one more")
	_, err = direct(r).List(t.Context(), &healthpb.HealthListRequest{})
	assert.Equal(t, status.Code(err), codes.ResourceExhausted)
}

func TestEveryMethodOfTheServiceIsImplemented(t *testing.T) {
	var c capture
	r := healthx.NewRegistry(quiet)
	r.Register(&c)
	// A method that a later grpc adds would be served as Unimplemented.
	assert.Equal(t, len(c.desc.Methods), 2)
	assert.Equal(t, len(c.desc.Streams), 1)
}

func TestProbesNeverRunChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		r := healthx.NewRegistry(quiet)
		assert.NoError(t, r.AddCheck("db", func(ctx context.Context) error {
			calls.Add(1)
			<-ctx.Done()
			return ctx.Err()
		}))
		_, client := serve(t, r)
		defer run(t, r)()
		synctest.Wait()
		before := time.Now()
		for range 100 {
			resp, err := client.Check(t.Context(), request(""))
			assert.NoError(t, err)
			assert.Equal(t, resp.GetStatus(), notServing)
		}
		assert.Equal(t, time.Since(before), 0, "a probe must not wait for the check in flight")
		assert.Equal(t, calls.Load(), 1)
	})
}

func TestCheckAllocatesOnlyItsResponse(t *testing.T) {
	r := healthx.NewRegistry(quiet)
	r.AddService("a")
	h, known, unknown := direct(r), request("a"), request("nope")
	assert.Equal(t, testing.AllocsPerRun(1000, func() { _, _ = h.Check(t.Context(), known) }), 1.0)
	assert.Equal(t, testing.AllocsPerRun(1000, func() { _, _ = h.Check(t.Context(), unknown) }), 0.0)
}

// watch opens a stream and returns functions to read it: next returns the
// next status, none asserts that nothing came.
func watch(t *testing.T, client healthpb.HealthClient, service string) (next func() healthpb.HealthCheckResponse_ServingStatus, none func(), end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	stream, err := client.Watch(ctx, request(service))
	assert.NoError(t, err)
	got := make(chan healthpb.HealthCheckResponse_ServingStatus, 100)
	ended := make(chan error, 1)
	go func() {
		for {
			resp, err := stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			got <- resp.GetStatus()
		}
	}()
	next = func() healthpb.HealthCheckResponse_ServingStatus {
		t.Helper()
		synctest.Wait()
		select {
		case s := <-got:
			return s
		default:
			t.Fatal("no message")
			return 0
		}
	}
	none = func() {
		t.Helper()
		synctest.Wait()
		assert.Equal(t, len(got), 0, "unexpected message")
		assert.Equal(t, len(ended), 0, "the stream ended")
	}
	end = func() error {
		t.Helper()
		synctest.Wait()
		assert.Equal(t, len(got), 0, "unexpected message before the end")
		select {
		case err := <-ended:
			return err
		default:
			t.Fatal("the stream is open")
			return nil
		}
	}
	return next, none, end
}

func TestWatchSendsChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		r.AddService("a", "b")
		_, client := serve(t, r)
		next, none, _ := watch(t, client, "a")
		assert.Equal(t, next(), notServing)
		defer run(t, r)()
		assert.Equal(t, next(), serving)
		assert.NoError(t, r.SetServing("a", true))
		assert.NoError(t, r.SetServing("b", false))
		r.AddService("c")
		none()
		assert.NoError(t, r.SetServing("a", false))
		assert.Equal(t, next(), notServing)
		none()
	})
}

func TestWatchUnknownService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		_, client := serve(t, r)
		defer run(t, r)()
		next, none, end := watch(t, client, "later")
		assert.Equal(t, next(), unknown)
		r.AddService("other")
		none()
		r.AddService("later")
		assert.Equal(t, next(), serving)
		none()
		r.Drain()
		assert.Equal(t, next(), notServing)
		none()
		r.Close()
		assert.Equal(t, status.Code(end()), codes.Unavailable)
	})
}

func TestWatchThroughDrainAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		r.AddService("a")
		server, client := serve(t, r)
		defer run(t, r)()
		synctest.Wait()
		next, none, end := watch(t, client, "a")
		nextUnknown, noneUnknown, endUnknown := watch(t, client, "nope")
		nextLive, noneLive, endLive := watch(t, client, "liveness")
		assert.Equal(t, next(), serving)
		assert.Equal(t, nextUnknown(), unknown)
		assert.Equal(t, nextLive(), serving)

		r.Drain()
		assert.Equal(t, next(), notServing)
		nextNew, noneNew, endNew := watch(t, client, "readiness")
		assert.Equal(t, nextNew(), notServing)
		time.Sleep(time.Hour)
		none()
		noneUnknown()
		noneLive()
		noneNew()

		r.Close()
		for _, end := range []func() error{end, endUnknown, endLive, endNew} {
			assert.Equal(t, status.Code(end()), codes.Unavailable)
		}
		_, _, endLate := watch(t, client, "a")
		assert.Equal(t, status.Code(endLate()), codes.Unavailable)
		resp, err := client.Check(t.Context(), request("a"))
		assert.NoError(t, err)
		assert.Equal(t, resp.GetStatus(), notServing)

		before := time.Now()
		server.GracefulStop()
		assert.Equal(t, time.Since(before), 0, "no stream is left for GracefulStop to wait for")
	})
}

func TestWatchEndsWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		h := direct(r)
		for _, tt := range []struct {
			end  func(context.Context) (context.Context, context.CancelFunc)
			code codes.Code
		}{
			{func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, time.Second)
			}, codes.DeadlineExceeded},
			{func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Second, cancel)
				return ctx, cancel
			}, codes.Canceled},
		} {
			ctx, cancel := tt.end(t.Context())
			before := time.Now()
			err := h.Watch(request("nope"), &fakeStream{ctx: ctx, send: func(healthpb.HealthCheckResponse_ServingStatus) error { return nil }})
			assert.Equal(t, status.Code(err), tt.code)
			assert.Equal(t, time.Since(before), time.Second)
			cancel()
		}
		broken := status.Error(codes.Internal, "transport broke")
		err := h.Watch(request(""), &fakeStream{ctx: t.Context(), send: func(healthpb.HealthCheckResponse_ServingStatus) error { return broken }})
		assert.ErrorIs(t, err, broken)
	})
}

func TestSlowWatcherGetsTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := healthx.NewRegistry(quiet)
		r.AddService("a")
		defer run(t, r)()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		var got []healthpb.HealthCheckResponse_ServingStatus
		done := make(chan error, 1)
		go func() {
			done <- direct(r).Watch(request("a"), &fakeStream{ctx: ctx, send: func(s healthpb.HealthCheckResponse_ServingStatus) error {
				got = append(got, s)
				time.Sleep(time.Second)
				return nil
			}})
		}()
		synctest.Wait()
		for range 1000 {
			assert.NoError(t, r.SetServing("a", false))
			assert.NoError(t, r.SetServing("a", true))
		}
		assert.NoError(t, r.SetServing("a", false))
		time.Sleep(time.Minute)
		cancel()
		<-done
		assert.Equal(t, got, []healthpb.HealthCheckResponse_ServingStatus{serving, notServing})
	})
}

type fakeStream struct {
	grpc.ServerStreamingServer[healthpb.HealthCheckResponse]
	ctx  context.Context
	send func(healthpb.HealthCheckResponse_ServingStatus) error
}

func (f *fakeStream) Context() context.Context { return f.ctx }
func (f *fakeStream) Send(resp *healthpb.HealthCheckResponse) error {
	return f.send(resp.GetStatus())
}
