package grpcx

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"
)

// registerReflectionLocked registers both versions of the reflection service.
// It describes what is registered when it is asked, so it comes last.
func (s *Server) registerReflectionLocked() {
	reflection.Register(lockedRegistrar{s})
}

// lockedRegistrar registers while the server's lock is held.
type lockedRegistrar struct{ *Server }

func (l lockedRegistrar) RegisterService(desc *grpc.ServiceDesc, impl any) {
	l.registerLocked(desc, impl)
}
