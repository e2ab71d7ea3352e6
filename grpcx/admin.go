package grpcx

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// adminServer serves the pages for operators on its own listener. Its limits
// are those of a handful of people, scrapers and probes.
type adminServer struct {
	lis    net.Listener
	http   *http.Server
	table  *connTable
	end    context.CancelFunc // of the requests' contexts
	done   chan struct{}      // closed when the accept loop has ended
	active sync.WaitGroup     // connections whose goroutine runs
}

const (
	// adminHeaderTime bounds the headers of a request, adminTime all of it and
	// its answer, and how long a connection may be idle.
	adminHeaderTime = 5 * time.Second
	adminTime       = 30 * time.Second
	// adminHeaderBytes is exact: net/http adds 4 KiB of its own to what it is told.
	adminHeaderBytes = 8 * kib
)

func newAdminServer(lis net.Listener, s *Server) *adminServer {
	a := &adminServer{
		lis: lis,
		// The books are those of grpc-go's connections; "over TLS" keeps them
		// from looking for HTTP/2 frames.
		table: newConnTable(maxOwnConns, s.cfg.keepalive.Timeout, true, s.logger),
		done:  make(chan struct{}),
	}
	a.table.remedy = fewConns("admin")
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	a.http = &http.Server{
		Handler:                      s.pages,
		Protocols:                    http1,
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            adminHeaderTime,
		ReadTimeout:                  adminTime,
		WriteTimeout:                 adminTime,
		IdleTimeout:                  adminTime,
		MaxHeaderBytes:               adminHeaderBytes - 4*kib,
		ErrorLog:                     slog.NewLogLogger(s.logger().Handler(), slog.LevelWarn),
		ConnState:                    a.count,
	}
	return a
}

// count keeps track of the goroutine that net/http starts for a connection.
func (a *adminServer) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		a.active.Add(1)
	case http.StateClosed, http.StateHijacked:
		a.active.Done()
	case http.StateActive, http.StateIdle:
	}
}

func (a *adminServer) start(ctx context.Context) {
	ctx, a.end = context.WithCancel(context.WithoutCancel(ctx))
	a.http.BaseContext = func(net.Listener) context.Context { return ctx }
	go func() {
		defer close(a.done)
		if err := a.http.Serve(&listener{a.lis, a.table}); !errors.Is(err, http.ErrServerClosed) {
			a.table.log().Error("grpcx: the admin listener ended", slog.Any("error", err))
		}
	}()
}

// stop ends the requests at once: the drain is over.
func (a *adminServer) stop(left *budget) {
	a.end()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = a.http.Close()
		<-a.done
		a.active.Wait()
	}()
	left.wait(stopped)
}
