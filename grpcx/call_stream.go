package grpcx

import (
	"context"

	"google.golang.org/grpc"
)

// streamCall is the record of a streaming RPC and the stream that its handler
// sees, in one allocation.
type streamCall struct {
	call
	grpc.ServerStream
}

// Context returns the call, which carries its record.
func (s *streamCall) Context() context.Context { return &s.call }

// RecvMsg notes when the request of a server-streaming call has arrived.
func (s *streamCall) RecvMsg(msg any) error {
	err := s.ServerStream.RecvMsg(msg)
	s.gotFirstMessage()
	if err == nil {
		s.received(msg)
	}
	return err
}

// SendMsg sends a response message.
func (s *streamCall) SendMsg(msg any) error {
	err := s.ServerStream.SendMsg(msg)
	if err == nil {
		s.sent(msg)
	}
	return err
}

// guard is the outermost stream interceptor of a server: what it surrounds
// includes every interceptor that the program installed.
func (p *callPath) guard(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return p.runStream(p.lookup(info.FullMethod), srv, ss, handler)
}

// stream weaves the path around a stream handler, where there is no guard.
func (p *callPath) stream(m *method, handler grpc.StreamHandler) grpc.StreamHandler {
	return func(srv any, ss grpc.ServerStream) error { return p.runStream(m, srv, ss, handler) }
}

func (p *callPath) runStream(m *method, srv any, ss grpc.ServerStream, handler grpc.StreamHandler) (err error) {
	s := &streamCall{call{Context: ss.Context(), path: p, method: m}, ss}
	defer s.end(&err)
	s.begin()
	if err = s.admit(); err == nil {
		err = handler(srv, s)
	}
	s.returned = true
	return err
}
