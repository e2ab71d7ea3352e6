// Package grpcxtest runs a grpcx server inside a test, with a client connected
// to it, and cleans up both.
//
//	func TestGreeter(t *testing.T) {
//		srv := grpcxtest.New(t, grpcxtest.Services(func(r grpc.ServiceRegistrar) {
//			greetpb.RegisterGreeterServer(r, greeter{})
//		}))
//		reply, err := greetpb.NewGreeterClient(srv.Conn).Greet(t.Context(), &greetpb.GreetRequest{Name: "Ada"})
//		...
//	}
//
// [New] connects over memory (bufconn), so it can be used inside a
// testing/synctest bubble, where the drain, timeouts and health intervals run
// on fake time. [NewMTLS] uses mutual TLS over loopback.
package grpcxtest
