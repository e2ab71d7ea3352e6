package examples_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/grpcx-go/sdk/examples/greet"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

const (
	serving    = healthpb.HealthCheckResponse_SERVING
	notServing = healthpb.HealthCheckResponse_NOT_SERVING
)

// scenarios are what each example is started for.
var scenarios = map[string]func(*testing.T, *example){
	"minimal":              minimal,
	"quickstart":           quickstart,
	"mtls-files":           mtlsFiles,
	"cfssl":                cfssl,
	"mesh-sidecar":         meshSidecar,
	"streaming-with-drain": streamingWithDrain,
	"health-checks":        healthChecks,
	"otlp":                 otlp,
	"prometheus":           prometheusPage,
	"interceptors":         interceptors,
	"existing-server":      existingServer,
	"embedded":             embedded,
	"testing":              underTest,
	"client":               client,
}

func minimal(t *testing.T, e *example) {
	p := e.start(t, e.run)
	assert.Equal(t, hello(t, e.dialMutual(t)), "Hello, Ada!")
	e.tryClient(t)
	assert.Contains(t, p.out.String(), e.own(e.try))
	p.stop(t)
}

// tryClient runs the client of the table against the example.
func (e *example) tryClient(t *testing.T) {
	t.Helper()
	c := e.start(t, e.try, "-every", "1ms")
	c.ends(t)
	assert.Equal(t, strings.Count(c.out.String(), "Hello, Ada!"), 3)
}

func quickstart(t *testing.T, e *example) {
	p := e.start(t, e.run, "-addr", e.addr)
	assert.Equal(t, hello(t, e.dialMutual(t)), "Hello, Ada!")
	e.tryClient(t)
	assert.Contains(t, p.out.String(), "grpcurl -cacert "+e.certs(t).CAFile(), e.addr+" greet.v1.Greeter/Greet")
	p.interrupt(t) // which skips the delay of 5 s
	p.ends(t)
}

// The files are replaced while the server serves: it takes them on, and no
// longer knows who was known before.
func mtlsFiles(t *testing.T, e *example) {
	p := e.start(t, e.run)
	before := e.certs(t)
	assert.Equal(t, hello(t, dial(t, e.addr, mutual(before))), "Hello, Ada! You are client.localhost")
	e.tryClient(t)
	assert.Contains(t, p.out.String(), e.own(e.try))

	other := filepath.Join(e.dir, "other")
	after, err := devcert.Dir(other)
	assert.NoError(t, err)
	for _, name := range []string{"server.crt", "server.key", "ca.crt"} {
		assert.NoError(t, os.Rename(filepath.Join(other, name), filepath.Join(e.dir, "certs", name)))
	}
	assert.Equal(t, hello(t, dial(t, e.addr, mutual(after))), "Hello, Ada! You are client.localhost")
	_, err = greet.NewGreeterClient(dial(t, e.addr, mutual(before))).Greet(within(t), &greet.GreetRequest{}, grpc.WaitForReady(false))
	assert.Equal(t, status.Code(err), codes.Unavailable)
	p.stop(t)
}

// The certificates come from cfssl's JSON files. Renewed ones are taken up
// while the server serves.
func cfssl(t *testing.T, e *example) {
	const script = "examples/cfssl/certs.sh"
	dir := filepath.Join(e.dir, "certs", "cfssl")
	certs := func() {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), strings.TrimPrefix(script, "examples/"), dir).CombinedOutput()
		assert.NoError(t, err, string(out))
	}
	certs()
	run, ok := strings.CutPrefix(e.run, script+" && ")
	assert.True(t, ok, e.run)
	p := e.start(t, run)
	client := filepath.Join(dir, "client")
	call := func() (serial string) {
		identity, err := tlsx.Load(tlsx.Files{Cert: filepath.Join(client, "tls.crt"), Key: filepath.Join(client, "tls.key"),
			ClientCA: filepath.Join(client, "ca.crt"), Usage: tlsx.ForClient})
		assert.NoError(t, err)
		conn := dial(t, e.addr, credentials.NewTLS(tlsx.ClientConfig(tlsx.Static(identity), tlsx.ServerName("localhost"))))
		var server peer.Peer
		reply, err := greet.NewGreeterClient(conn).Greet(within(t), &greet.GreetRequest{Name: "Ada"}, grpc.Peer(&server))
		assert.NoError(t, err)
		assert.Equal(t, reply.GetGreeting(), "Hello, Ada! You are spiffe://example.org/client")
		return server.AuthInfo.(credentials.TLSInfo).State.PeerCertificates[0].SerialNumber.String()
	}
	before := call()
	assert.Contains(t, p.out.String(), e.own(e.try), script)
	certs()
	waitFor(t, "the renewed certificate", func() bool { return call() != before })
	p.stop(t)
}

func meshSidecar(t *testing.T, e *example) {
	p := e.start(t, e.run)
	assert.Equal(t, hello(t, dialPlain(t, e.addr)), "Hello, Ada!")
	assert.Contains(t, p.out.String(), e.own(e.try))
	p.stop(t)
}

// The stream is told of the drain, says goodbye and ends; the drain is complete.
func streamingWithDrain(t *testing.T, e *example) {
	p := e.start(t, e.run)
	stream, err := greet.NewGreeterClient(e.dialMutual(t)).GreetEach(within(t))
	assert.NoError(t, err)
	assert.NoError(t, stream.Send(&greet.GreetRequest{Name: "Ada"}))
	reply, err := stream.Recv()
	assert.NoError(t, err)
	assert.Equal(t, reply.GetGreeting(), "Hello, Ada!")
	assert.Contains(t, p.out.String(), e.own(e.try))

	p.terminate(t)
	last := ""
	for {
		reply, err = stream.Recv()
		if err != nil {
			break
		}
		last = reply.GetGreeting()
	}
	assert.Equal(t, last, "Goodbye, Ada!")
	assert.Equal(t, status.Code(err), codes.Unavailable)
	assert.ErrorContains(t, err, "open the stream again")
	p.ends(t)
}

// Everything arrives at a collector, at the end what is left.
func otlp(t *testing.T, e *example) {
	lis, err := net.Listen("tcp", e.web)
	assert.NoError(t, err)
	var mu sync.Mutex
	got := map[string]bool{}
	collector := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got[r.URL.Path] = true
		w.Header().Set("Content-Type", "application/x-protobuf")
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = collector.Serve(lis) })
	defer serving.Wait()
	defer func() { _ = collector.Close() }()

	p := e.start(t, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+e.web+" "+e.run)
	assert.Equal(t, hello(t, e.dialMutual(t)), "Hello, Ada!")
	e.tryClient(t)
	assert.Contains(t, p.out.String(), `"msg":"greeting","name":"Ada","trace_id":"`)
	p.stop(t)
	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, got, map[string]bool{"/v1/traces": true, "/v1/metrics": true, "/v1/logs": true}, p.out.String())
}

func prometheusPage(t *testing.T, e *example) {
	p := e.start(t, e.run, "-admin", e.admin)
	assert.Equal(t, hello(t, e.dialMutual(t)), "Hello, Ada!")
	code, body := get(t, "http://"+e.admin+"/metrics")
	assert.Equal(t, code, http.StatusOK)
	assert.Contains(t, body, "greetings_total 1", "grpcx_health_ready 1")
	assert.Contains(t, p.out.String(), e.own(e.try))
	p.stop(t)
}

// A failing check is seen by probes that have no certificate, over gRPC and
// HTTP; liveness stays, and so it is in the drain.
func healthChecks(t *testing.T, e *example) {
	e.delay = "2s"
	p := e.start(t, e.run, "-probe", e.probe, "-admin", e.admin, "-cache", e.web) // nobody listens on the last
	probe := watch(t, dialPlain(t, e.probe), "readiness")
	pages := func(readyz int, text string) {
		t.Helper()
		code, body := get(t, "http://"+e.admin+"/readyz?verbose")
		assert.Equal(t, code, readyz)
		assert.Contains(t, body, text)
		code, body = get(t, "http://"+e.admin+"/livez")
		assert.Equal(t, code, http.StatusOK, body)
	}
	probe(serving)
	pages(http.StatusOK, "[+]maintenance ok")
	assert.Contains(t, p.out.String(), e.own(e.try))

	maintenance := filepath.Join(e.dir, "maintenance")
	assert.NoError(t, os.WriteFile(maintenance, nil, 0o600))
	probe(notServing)
	pages(http.StatusInternalServerError, "[-]maintenance failed")
	assert.NoError(t, os.Remove(maintenance))
	probe(serving)
	pages(http.StatusOK, "[+]disk ok")

	health := healthpb.NewHealthClient(e.dialMutual(t)) // the serving port wants a certificate
	now, err := health.Check(within(t), &healthpb.HealthCheckRequest{Service: greet.Greeter_ServiceDesc.ServiceName})
	assert.NoError(t, err)
	assert.Equal(t, now.GetStatus(), serving)

	p.terminate(t)
	probe(notServing)
	pages(http.StatusInternalServerError, "readyz check failed")
	p.ends(t)
}

func interceptors(t *testing.T, e *example) {
	p := e.start(t, e.run)
	conn := dialPlain(t, e.addr)
	greeter := greet.NewGreeterClient(conn)
	call := func(name string, header ...string) error {
		_, err := greeter.Greet(metadata.AppendToOutgoingContext(within(t), header...), &greet.GreetRequest{Name: name})
		return err
	}
	assert.Equal(t, status.Code(call("Ada")), codes.Unauthenticated)
	assert.Equal(t, status.Code(call("Ada", "authorization", "bearer guess")), codes.Unauthenticated)
	assert.NoError(t, call("Ada", "authorization", "bearer demo"))
	assert.Equal(t, status.Code(call("", "authorization", "bearer demo")), codes.InvalidArgument)
	assert.Contains(t, p.out.String(), strings.TrimPrefix(e.own(e.try), "TOKEN=demo; "))

	stream, err := greeter.GreetEach(within(t))
	assert.NoError(t, err)
	_, err = stream.Recv()
	assert.Equal(t, status.Code(err), codes.Unauthenticated)

	refused := codes.OK
	for range 1000 { // far more than 10 a second
		if refused = status.Code(call("Ada", "authorization", "bearer demo")); refused != codes.OK {
			break
		}
	}
	assert.Equal(t, refused, codes.ResourceExhausted)
	p.stop(t)
}

// A server that the program builds itself drains as well: health first.
func existingServer(t *testing.T, e *example) {
	p := e.start(t, e.run, "-addr", e.addr)
	conn := e.dialMutual(t)
	assert.Equal(t, hello(t, conn), "Hello, Ada!")
	e.tryClient(t)
	assert.Contains(t, p.out.String(), e.own(e.try))

	health := watch(t, conn, greet.Greeter_ServiceDesc.ServiceName)
	health(serving)
	p.terminate(t)
	health(notServing)
	assert.Equal(t, hello(t, conn), "Hello, Ada!", "while clients move away")
	p.ends(t)
}

// HTTP answers until gRPC has drained.
func embedded(t *testing.T, e *example) {
	e.delay = "2s"
	p := e.start(t, e.run, "-http", e.web)
	conn := e.dialMutual(t)
	assert.Equal(t, hello(t, conn), "Hello, Ada!")
	page := "http://" + e.web + "/hello/Ada"
	waitFor(t, "the HTTP server", func() bool { code, _ := get(t, page); return code == http.StatusOK })
	_, body := get(t, page)
	assert.Equal(t, body, "Hello, Ada!\n")
	assert.Contains(t, e.own(e.try), page)
	assert.Contains(t, p.out.String(), e.own(e.try))
	code, body := get(t, "http://"+e.web+"/readyz")
	assert.Equal(t, code, http.StatusOK, body)

	p.terminate(t)
	waitFor(t, "the drain", func() bool {
		code, _ := get(t, "http://"+e.web+"/readyz")
		return code == http.StatusInternalServerError
	})
	assert.Equal(t, hello(t, conn), "Hello, Ada!", "in the drain")
	p.ends(t)
}

// The tests of this example are run with all others.
func underTest(t *testing.T, e *example) {
	p := e.start(t, e.run)
	assert.Equal(t, hello(t, e.dialMutual(t)), "Hello, Ada!")
	assert.Equal(t, e.try, "go -C examples test ./testing")
	assert.Contains(t, p.out.String(), e.try)
	p.stop(t)
}

// No call of the client fails while the server is restarted.
func client(t *testing.T, e *example) {
	const calls = 40
	server := e.start(t, e.run)
	c := e.start(t, e.try, "-addr", e.addr, "-n", "40", "-every", "50ms")
	greetings := func() int { return strings.Count(c.out.String(), "Hello, Ada!") }
	waitFor(t, "the first greeting", func() bool { return greetings() > 0 })
	assert.Contains(t, c.out.String(), e.run)
	server.stop(t)
	assert.True(t, greetings() < calls, "calls are left for the next server")
	server = e.start(t, e.run)
	c.ends(t)
	assert.Equal(t, greetings(), calls)
	server.stop(t)
}
