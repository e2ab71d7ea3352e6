package grpcx

import (
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// unknownHandler handles calls of methods that are not registered: with the
// program's handler, or by refusing them in the words of grpc-go. It is always
// installed, so that these calls go through guard like every other.
func (p *callPath) unknownHandler(handler grpc.StreamHandler) grpc.StreamHandler {
	if handler != nil {
		return handler
	}
	return func(_ any, ss grpc.ServerStream) error {
		name, _ := grpc.Method(ss.Context())
		service, method, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/")
		if p.serves(service) {
			return status.Errorf(codes.Unimplemented, "unknown method %s for service %s", method, service)
		}
		return status.Errorf(codes.Unimplemented, "unknown service %s", service)
	}
}

func (p *callPath) serves(service string) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for name := range p.methods {
		if strings.HasPrefix(name[1:], service+"/") {
			return true
		}
	}
	return false
}
