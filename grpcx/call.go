package grpcx

import (
	"context"
	"errors"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// call is the record of one RPC, shared by every built-in feature. It is also
// the RPC's context, so putting it there costs no allocation of its own.
type call struct {
	context.Context // the RPC's own, or one derived from it with the policy's deadline

	path   *callPath
	method *method
	start  time.Time
	decode func(any) error // of a unary call

	span     trace.Span                    // when it is recording; nil otherwise
	returned bool                          // the handler returned; else it panicked or called Goexit
	aborted  atomic.Pointer[status.Status] // what abort told the client
	cancel   func()                        // releases the policy's deadline
	first    firstMessage
}

type callKey struct{}

// Value finds the call itself under callKey.
func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

func callFrom(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// unary weaves the path around a unary handler.
func (p *callPath) unary(m *method, handler grpc.MethodHandler) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (reply any, err error) {
		growStack(false)
		c := &call{Context: ctx, path: p, method: m, decode: decode}
		defer c.end(&err)
		c.begin()
		if err = c.admit(); err == nil {
			reply, err = handler(srv, c, c.recv, interceptor)
		}
		if err == nil {
			c.sent(reply)
		}
		c.returned = true
		return reply, err
	}
}

// recv decodes the request of a unary call.
func (c *call) recv(msg any) error {
	err := c.decode(msg)
	c.gotFirstMessage()
	if err == nil {
		c.received(msg)
	}
	return err
}

func (c *call) begin() {
	c.start = time.Now()
	c.method.inFlight.Add(1)
	if t := c.path.telemetry; t != nil {
		t.begin(c)
	}
	if c.method.timeout > 0 {
		c.setDeadline(c.start.Add(c.method.timeout))
	}
	if c.method.oneShot && c.path.first != nil {
		c.path.first.add(c)
	}
}

// admit refuses calls of a peer that is no longer accepted, where the policy
// says so.
func (c *call) admit() error {
	if k := c.path.keeper; k != nil && k.rejected.Load() > 0 && k.rejects(c) {
		return status.Error(codes.Unauthenticated, "the client's certificate is no longer accepted; connect anew with a current one")
	}
	return nil
}

func (c *call) gotFirstMessage() {
	if c.first.shard != nil {
		c.first.shard.remove(c)
	}
}

// setDeadline applies the policy's deadline, unless the caller's comes first.
func (c *call) setDeadline(deadline time.Time) {
	if d, ok := c.Context.Deadline(); ok && !deadline.Before(d) {
		return
	}
	ctx, cancel := context.WithDeadline(c.Context, deadline)
	c.Context = ctx
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			c.timedOut() // answer now: the handler may ignore its context
		}
	})
	c.cancel = func() { stop(); cancel() }
}

// timedOut tells the client that the policy's deadline has passed.
func (c *call) timedOut() {
	c.abort(status.New(codes.DeadlineExceeded,
		"deadline exceeded: the server allows "+c.method.timeout.String()+" for this method"))
}

// end is deferred around the handler and all that the program put around it.
// It turns what happened into the error that the client gets.
func (c *call) end(err *error) {
	c.gotFirstMessage()
	c.method.inFlight.Add(-1)
	if c.cancel != nil {
		defer c.cancel()
	}
	switch {
	case c.returned && *err == nil && !c.method.logsSuccess():
		// The usual case.
	case c.returned:
		c.conclude(err)
	case c.path.recover:
		*err = c.crashed(recover(), debug.Stack())
	}
	if t := c.path.telemetry; t != nil {
		t.end(c, *err)
	}
}

// conclude gives the client the error that it may see, and the log the rest.
func (c *call) conclude(err *error) {
	cause, id := *err, ""
	if cause != nil && c.cancel != nil && errors.Is(c.Err(), context.DeadlineExceeded) {
		c.timedOut() // in the same words, whoever noticed first
	}
	if cause != nil {
		id, *err = clientError(cause)
	}
	if st := c.aborted.Load(); st != nil {
		*err = st.Err()
	}
	c.log(*err, cause, id)
}

// abort ends the RPC on the wire now, whatever its handler does; the handler's
// context ends with it.
//
// The stream that grpc-go keeps in the context is its transport's, which takes
// a status from any goroutine, once; TestGRPCStreamTakesStatus pins that.
func (c *call) abort(st *status.Status) {
	stream, ok := grpc.ServerTransportStreamFromContext(c.Context).(interface {
		WriteStatus(*status.Status) error
	})
	if ok && c.aborted.CompareAndSwap(nil, st) {
		_ = stream.WriteStatus(st) // fails only when the RPC is over
	}
}
