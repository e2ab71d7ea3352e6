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
		name = strings.TrimPrefix(name, "/")
		slash := strings.LastIndexByte(name, '/') // grpc-go refused names without one
		service, method := name[:slash], name[slash+1:]
		if p.registered.Load().services[service] {
			return status.Errorf(codes.Unimplemented, "unknown method %s for service %s", method, service)
		}
		return status.Errorf(codes.Unimplemented, "unknown service %s", service)
	}
}
