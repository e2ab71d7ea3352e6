package bench

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
)

// idle opens connections, makes a call on each, and keeps them.
type idle struct {
	ctx   context.Context
	p     *process
	conns []*grpc.ClientConn
}

func openIdle(ctx context.Context, p *process) (session, error) {
	return &idle{ctx: ctx, p: p}, nil
}

func (s *idle) run(n int) ([]time.Duration, error) {
	for range n {
		conn, err := s.p.dial()
		if err != nil {
			return nil, err
		}
		s.conns = append(s.conns, conn)
		c, err := unary{size: 64}.caller(s.ctx, conn)
		if err != nil {
			return nil, err
		}
		if err := c.call(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (s *idle) close() error {
	errs := make([]error, len(s.conns))
	for i, conn := range s.conns {
		errs[i] = conn.Close()
	}
	return errors.Join(errs...)
}
