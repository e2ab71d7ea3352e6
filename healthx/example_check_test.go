package healthx_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/grpcx-go/sdk/healthx"
)

// database stands for a *sql.DB.
type database struct{ up bool }

func (d *database) PingContext(context.Context) error {
	if !d.up {
		return errors.New("connection refused")
	}
	return nil
}

func ExamplePing() {
	db := &database{up: true}
	check := healthx.Ping(db) // for AddCheck
	fmt.Println(check(context.Background()))
	db.up = false
	fmt.Println(check(context.Background()))
	// Output:
	// <nil>
	// ping of *healthx_test.database: connection refused; check that the dependency is up, its address and its credentials
}

func ExampleTCP() {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer lis.Close()
	fmt.Println(healthx.TCP(lis.Addr().String())(context.Background()))
	fmt.Println(healthx.TCP("postgres")(context.Background()))
	// Output:
	// <nil>
	// tcp: the address is not host:port; give both and nothing else, as in "postgres:5432"
}

func ExampleHTTP() {
	status := http.StatusOK
	payments := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer payments.Close()
	check := healthx.HTTP(payments.URL + "/readyz?token=secret")
	fmt.Println(check(context.Background()))
	status = http.StatusServiceUnavailable
	fmt.Println(strings.ReplaceAll(check(context.Background()).Error(), payments.URL, "http://payments"))
	// Output:
	// <nil>
	// GET http://payments/readyz: status 503 Service Unavailable, not 200 to 399; ask the dependency why
}

// A server that needs the one it is connected to, and can do without a service
// that is there.
func ExampleConn() {
	orders, addr, err := serveOrders()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer orders.Stop()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()

	health := healthx.NewRegistry(healthx.WithLogger(slog.New(slog.DiscardHandler)))
	err = errors.Join(
		health.AddCheck("orders", healthx.Conn(conn)),
		health.AddCheck("advice", healthx.Conn(conn, "acme.Advice"), healthx.Informational()),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ran := make(chan error)
	go func() { ran <- health.Run(ctx) }()
	<-health.Ready()
	status, _ := health.Status(healthx.Readiness)
	fmt.Println(status)
	cancel()
	<-ran
	// Output: SERVING
}

// serveOrders is the other server, whose health service is its own matter.
func serveOrders() (*grpc.Server, string, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	server := grpc.NewServer()
	healthx.NewRegistry().Register(server)
	go func() { _ = server.Serve(lis) }()
	return server, lis.Addr().String(), nil
}

// The probes of Kubernetes, on a mux of the program's own.
func ExampleRegistry_Handler() {
	health := healthx.NewRegistry(healthx.WithLogger(slog.New(slog.DiscardHandler)))
	down := func(context.Context) error { return errors.New("password=secret: connection refused") }
	if err := health.AddCheck("postgres", down); err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/livez", health.Handler())
	mux.Handle("/readyz", health.Handler())
	mux.Handle("/readyz/", health.Handler())
	mux.Handle("/startupz", health.Handler())

	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := health.Run(ctx); err != nil {
		fmt.Println(err)
		return
	}
	for _, path := range []string{"/livez", "/readyz", "/readyz?exclude=postgres&exclude=shutdown"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Println(w.Code, strings.TrimSuffix(w.Body.String(), "\n"))
	}
	// Output:
	// 200 ok
	// 500 [+]running ok
	// [+]switch ok
	// [-]postgres failed: reason withheld
	// [-]shutdown failed: reason withheld
	// readyz check failed
	// 200 ok
}
