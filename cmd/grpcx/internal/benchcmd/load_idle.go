package benchcmd

import (
	"cmp"
	"context"
	"fmt"

	"google.golang.org/grpc"
)

// idleMemory opens connections, makes a call on each, and returns what they
// take of the server's heap and stacks, in bytes for each of them.
func idleMemory(ctx context.Context, p *process) (_ float64, err error) {
	before, err := p.usage(settled)
	if err != nil {
		return 0, err
	}
	conns := make([]*grpc.ClientConn, 0, idleConnections)
	defer func() {
		for _, conn := range conns {
			err = cmp.Or(err, conn.Close())
		}
	}()
	for range idleConnections {
		conn, err := p.dial()
		if err != nil {
			return 0, err
		}
		conns = append(conns, conn)
		if err := unaryCaller(ctx, conn)(); err != nil {
			return 0, err
		}
	}
	after, err := p.usage(settled)
	if err == nil && after.Memory <= before.Memory {
		err = fmt.Errorf("the server has %d bytes in use with %d connections more and had %d before; run it again on a machine that does less else",
			after.Memory, idleConnections, before.Memory)
	}
	return float64(after.Memory-before.Memory) / float64(idleConnections), err
}
