package grpcx

import (
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// log writes the access log's line, if the method's mode asks for one. err is
// what the client got, cause what the handler returned.
func (c *call) log(err, cause error, id string) {
	code := status.Code(err)
	if !c.logs(code) {
		return
	}
	level := levelOf(code)
	log := c.path.log()
	if !log.Enabled(c, level) {
		return
	}
	dropped := uint64(0)
	if c.method == c.path.unknown {
		var ok bool // anybody can invent names: one line a second
		if dropped, ok = c.path.unknownLog.allow(c.start); !ok {
			return
		}
	}
	attrs := c.attrs(code)
	if err != nil {
		if cause == nil {
			cause = err
		}
		attrs = append(attrs, slog.String("error", cause.Error()))
	}
	if id != "" {
		attrs = append(attrs, slog.String("error.id", id))
	}
	if dropped > 0 {
		attrs = append(attrs, slog.Uint64("suppressed", dropped))
	}
	log.LogAttrs(c, level, "grpcx: call", attrs...)
}

// logs reports whether the method's policy shows a call that ended so.
func (c *call) logs(code codes.Code) bool {
	switch m := c.method; m.log {
	case LogAll:
		return true
	case LogErrors:
		return isServerError(code) ||
			m.slow > 0 && time.Since(c.start) >= m.slow ||
			m.sample > 0 && rand.Float64() < m.sample
	default:
		return false
	}
}

func (c *call) attrs(code codes.Code) []slog.Attr {
	attrs := make([]slog.Attr, 0, 10)
	attrs = append(attrs,
		slog.String("rpc.method", c.method.name),
		slog.String("rpc.response.status_code", codeName(code)),
		slog.Duration("duration", time.Since(c.start)))
	if c.method == c.path.unknown {
		attrs = append(attrs, slog.String("rpc.method_original", c.originalMethod()))
	}
	if span := trace.SpanContextFromContext(c.Context); span.IsValid() {
		attrs = append(attrs, slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	if p, ok := peer.FromContext(c.Context); ok && p.Addr != nil {
		attrs = append(attrs, slog.String("network.peer.address", p.Addr.String()))
	}
	return attrs
}

// originalMethod is the name that a client gave a method that is not registered.
func (c *call) originalMethod() string {
	name, _ := grpc.Method(c.Context)
	return truncate(strings.TrimPrefix(name, "/"), maxLoggedName)
}

// maxLoggedName bounds a method name that a client invented.
const maxLoggedName = 200

func truncate(s string, n int) string {
	if len(s) <= n {
		return validText(s)
	}
	return validText(s[:n]) + "..."
}

// validText replaces what is not UTF-8 in text that callers chose. One string
// that is not makes an OTLP exporter lose its whole batch.
func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// isServerError reports the codes that OpenTelemetry's RPC conventions count
// as errors of a server.
func isServerError(code codes.Code) bool {
	switch code {
	case codes.Unknown, codes.DeadlineExceeded, codes.Unimplemented, codes.Internal, codes.Unavailable, codes.DataLoss:
		return true
	default:
		return false
	}
}

func levelOf(code codes.Code) slog.Level {
	switch code {
	case codes.Unknown, codes.Internal, codes.DataLoss:
		return slog.LevelError
	case codes.DeadlineExceeded, codes.Unimplemented, codes.Unavailable:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}

var codeNames = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
	"PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
	"UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

// codeName returns the code's name as the gRPC specification writes it.
func codeName(code codes.Code) string {
	if int(code) < len(codeNames) {
		return codeNames[code]
	}
	return "CODE(" + strconv.FormatUint(uint64(code), 10) + ")"
}

// rateLimit lets one event a second through and counts the others.
type rateLimit struct {
	last    atomic.Int64 // in nanoseconds since 1970
	dropped atomic.Uint64
}

func (r *rateLimit) allow(now time.Time) (dropped uint64, ok bool) {
	last := r.last.Load()
	if now.UnixNano()-last < int64(time.Second) || !r.last.CompareAndSwap(last, now.UnixNano()) {
		r.dropped.Add(1)
		return 0, false
	}
	return r.dropped.Swap(0), true
}

// passes is allow where nobody asks for the number of the others.
func (r *rateLimit) passes() bool {
	_, ok := r.allow(time.Now())
	return ok
}
