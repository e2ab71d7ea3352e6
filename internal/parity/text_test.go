package parity_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// Callers choose the names of methods and the metadata that spans show, and
// handlers repeat in errors what callers sent. HTTP/2 takes any bytes there,
// OTLP takes UTF-8 alone: one string that is not makes an exporter lose the
// whole batch, so that a caller could hide the calls of others.
func TestSpansAreText(t *testing.T) {
	long := "/" + strings.Repeat("x", 150) + "." + strings.Repeat("ü", 100) + "/M"
	const method = "/grpc.testing.TestService/UnaryCall"
	var steps []step
	for _, name := range []string{"/nope.\xff/M", "/nope.Service/\xc3", long, method} {
		steps = append(steps, step{call: http2Call(name, "x-key", "\xff"), handle: func(context.Context, *side) error {
			return status.Error(codes.Internal, "cannot find \xff")
		}})
	}
	_, ours := observe(t, &setup{ours: []grpcx.Option{grpcx.WithTelemetry(grpcx.Telemetry{RequestMetadata: []string{"x-key"}})}}, steps)
	assert.Equal(t, len(ours.spans), len(steps), "spans:")
	for _, s := range ours.spans {
		assert.True(t, s.attrs["rpc.request.metadata.x-key"] != "", "the metadata is there")
		for _, text := range append([]string{s.name, s.description}, s.values...) {
			assert.True(t, utf8.ValidString(text), s.name, strings.ToValidUTF8(text, "?"))
		}
	}
}

// http2Call makes a unary call with an empty message as any client of HTTP/2
// can: that of grpc-go refuses to send bytes that are not text.
func http2Call(path, key, value string) func(context.Context, *side) error {
	return func(ctx context.Context, s *side) error {
		conn, err := s.dial(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		var block bytes.Buffer
		enc := hpack.NewEncoder(&block)
		for _, field := range [][2]string{
			{":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", "memory"},
			{"content-type", "application/grpc"}, {"te", "trailers"}, {key, value},
		} {
			_ = enc.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
		}
		_, err = io.WriteString(conn, http2.ClientPreface)
		fr := http2.NewFramer(conn, conn)
		err = errors.Join(err, fr.WriteSettings(),
			fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true}),
			fr.WriteData(1, true, make([]byte, 5)))
		for err == nil {
			var f http2.Frame
			if f, err = fr.ReadFrame(); err == nil && f.Header().StreamID == 1 && f.Header().Flags.Has(http2.FlagHeadersEndStream) {
				return nil
			}
		}
		return err
	}
}
