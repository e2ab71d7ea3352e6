package parity_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// kind is a kind of RPC.
type kind int

const (
	unary kind = iota
	clientStreaming
	serverStreaming
	bidiStreaming
)

var kinds = []kind{unary, clientStreaming, serverStreaming, bidiStreaming}

func (k kind) String() string {
	return [...]string{"unary", "client-streaming", "server-streaming", "bidi-streaming"}[k]
}

// step is one call.
type step struct {
	kind     kind
	handle   func(ctx context.Context, s *side) error // what the handler does; nil: answer
	call     func(ctx context.Context, s *side) error // what the client does, where the kind's own call is not it
	metadata []string                                 // pairs, sent along
	timeout  time.Duration                            // of the client
	reply    func() *testgrpc.SimpleResponse          // of a unary call
}

// service handles calls as the current step says.
type service struct {
	testgrpc.UnimplementedTestServiceServer

	side   *side
	mu     sync.Mutex
	step   step
	cancel context.CancelFunc // what the client can do at any time
	seen   []string
}

// answer takes some time, for the histograms, and then does what the step says.
func (s *service) answer(ctx context.Context) error {
	s.side.note(ctx)
	time.Sleep(30 * time.Millisecond)
	if s.current().handle != nil {
		return s.current().handle(ctx, s.side)
	}
	return nil
}

func (s *service) current() step {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.step
}

func (s *service) UnaryCall(ctx context.Context, _ *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	if err := s.answer(ctx); err != nil {
		return nil, err
	}
	if reply := s.current().reply; reply != nil {
		return reply(), nil
	}
	return &testgrpc.SimpleResponse{}, nil
}

func (s *service) StreamingInputCall(stream testgrpc.TestService_StreamingInputCallServer) error {
	for {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
	}
	if err := s.answer(stream.Context()); err != nil {
		return err
	}
	return stream.SendAndClose(&testgrpc.StreamingInputCallResponse{})
}

func (s *service) StreamingOutputCall(_ *testgrpc.StreamingOutputCallRequest, stream testgrpc.TestService_StreamingOutputCallServer) error {
	if err := stream.Send(&testgrpc.StreamingOutputCallResponse{}); err != nil {
		return err
	}
	return s.answer(stream.Context())
}

func (s *service) FullDuplexCall(stream testgrpc.TestService_FullDuplexCallServer) error {
	for {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			return s.answer(stream.Context())
		} else if err != nil {
			return err
		}
		if err := stream.Send(&testgrpc.StreamingOutputCallResponse{}); err != nil {
			return err
		}
	}
}

// do makes the client's call of a kind and returns what it got.
func (k kind) do(ctx context.Context, s *side) error {
	client := testgrpc.NewTestServiceClient(s.conn)
	switch k {
	case unary:
		_, err := client.UnaryCall(ctx, &testgrpc.SimpleRequest{})
		return err
	case clientStreaming:
		stream, err := client.StreamingInputCall(ctx)
		if err == nil {
			_ = stream.Send(&testgrpc.StreamingInputCallRequest{})
			_, err = stream.CloseAndRecv()
		}
		return err
	case serverStreaming:
		stream, err := client.StreamingOutputCall(ctx, &testgrpc.StreamingOutputCallRequest{})
		return drain(stream, err)
	default:
		stream, err := client.FullDuplexCall(ctx)
		if err == nil {
			_ = stream.Send(&testgrpc.StreamingOutputCallRequest{})
			_ = stream.CloseSend()
		}
		return drain(stream, err)
	}
}

// drain receives until the stream ends.
func drain[Stream interface {
	Recv() (*testgrpc.StreamingOutputCallResponse, error)
}](stream Stream, err error) error {
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// do makes the call of a step.
func (st step) do(t testing.TB, s *side) {
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(t.Context(), st.metadata...))
	defer cancel()
	if st.timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, st.timeout)
		defer cancel()
	}
	s.service.mu.Lock()
	s.service.step, s.service.cancel = st, cancel
	s.service.mu.Unlock()
	call := st.call
	if call == nil {
		call = st.kind.do
	}
	s.results = append(s.results, status.Code(call(ctx, s)).String())
}

// run makes the calls to one side. What each adds to the metrics is collected
// when settle says that it is there.
func (s *side) run(t testing.TB, steps []step, settle func()) {
	s.begin = time.Now()
	for _, st := range steps {
		st.do(t, s)
		settle()
		s.collect(t)
	}
}

// observe makes the same calls to both sides, in fake time with a pause between
// them, and returns what they recorded.
func observe(t *testing.T, c *setup, steps []step) (bare, ours *recording) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		for _, start := range []func(testing.TB) (*side, func()){c.startBare, c.startOurs} {
			s, stop := start(t)
			s.run(t, steps, func() { time.Sleep(time.Second); synctest.Wait() })
			r := s.recording(t)
			stop()
			if s.name == "grpcx" {
				ours = r
			} else {
				bare = r
			}
		}
	})
	return bare, ours
}

// everyKind is the same step for every kind of RPC.
func everyKind(st step) []step {
	var steps []step
	for _, k := range kinds {
		st.kind = k
		steps = append(steps, st)
	}
	return steps
}

// rawCall makes a call with messages that are bytes already, of any method.
func rawCall(method string, messages ...[]byte) func(context.Context, *side) error {
	return func(ctx context.Context, s *side) error {
		desc := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
		stream, err := s.conn.NewStream(ctx, desc, method, grpc.ForceCodecV2(rawCodec{}))
		for _, msg := range messages {
			if err == nil {
				err = stream.SendMsg(msg)
			}
		}
		if err == nil || errors.Is(err, io.EOF) {
			_ = stream.CloseSend()
			for err = nil; err == nil; {
				err = stream.RecvMsg(new([]byte))
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
}
