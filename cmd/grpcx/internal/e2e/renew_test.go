package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
)

// A rotation is how the certificates turn over under load.
type rotation struct {
	serve    func(t *testing.T, dir string) (addr string)
	lifetime time.Duration // of each certificate; the authority renews every 2 s
	run      time.Duration
	redials  int // at least, of each lasting connection
}

// The sidecar renews the certificates of a server and its client every two
// seconds; no call fails, on lasting connections and on new ones. The
// certificates are so short-lived that lasting connections have to be made
// again, as the server sees when it checks their peer again.
func TestRenewUnderLoad(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGTERM to send")
	}
	if os.Getenv("GRPCX_RENEW") == "" {
		rotate(t, rotation{serve: inProcess, lifetime: 5 * time.Second, run: 7 * time.Second, redials: 1})
		return
	}
	rotate(t, rotation{serve: quickstart, lifetime: 10 * time.Second, run: 2 * time.Minute, redials: 5})
}

// inProcess serves from the files as any server does.
func inProcess(t *testing.T, dir string) string {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	srv := grpcxtest.New(t, grpcx.WithListener(lis), grpcx.WithTLSFiles(files(filepath.Join(dir, "api"), tlsx.ForServer)),
		grpcx.WithLogger(slog.New(slog.DiscardHandler)))
	t.Cleanup(func() {
		status, _ := srv.TLSStatus()
		assert.Equal(t, len(status.Refused), 0, fmt.Sprint("refused: ", status.Refused))
		assert.True(t, status.Distrusted[tlsx.PeerExpired] > 0, fmt.Sprint("distrusted: ", status.Distrusted))
		assert.True(t, status.Generation > 2, "generations")
	})
	return lis.Addr().String()
}

// quickstart serves with examples/quickstart as it is. It makes its own
// certificates; links in their place lead it to those of the test.
func quickstart(t *testing.T, dir string) string {
	bin := filepath.Join(dir, "quickstart")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./quickstart")
	build.Dir = "../../../../examples"
	out, err := build.CombinedOutput()
	assert.NoError(t, err, string(out))
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	addr := lis.Addr().String()
	assert.NoError(t, lis.Close())
	own := filepath.Join(dir, "certs")
	p := start(t, exec.Command(bin, "-certs", own, "-addr", addr))
	waitFor(t, "the quickstart", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	for name, to := range map[string]string{"server.crt": "tls.crt", "server.key": "tls.key", "ca.crt": "ca.crt"} {
		link := filepath.Join(own, name)
		assert.NoError(t, os.Symlink(filepath.Join(dir, "api", to), link+".new"))
		assert.NoError(t, os.Rename(link+".new", link))
	}
	t.Cleanup(func() { p.stop(t) })
	return addr
}

// A load is what the callers see.
type load struct {
	calls, fresh, failed atomic.Int64

	mu      sync.Mutex
	errors  []string
	servers map[string]bool // serial numbers of servers' certificates
}

// call makes one call, which must not fail nor wait for a better connection.
func (l *load) call(ctx context.Context, conn *grpc.ClientConn) (p peer.Peer) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	l.calls.Add(1)
	reply, err := healthpb.NewHealthClient(conn).Check(ctx, new(healthpb.HealthCheckRequest), grpc.Peer(&p))
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || reply.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		l.failed.Add(1)
		if len(l.errors) < 5 {
			l.errors = append(l.errors, fmt.Sprint(reply.GetStatus(), err))
		}
		return p
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if ok {
		l.servers[fmt.Sprintf("%x", info.State.PeerCertificates[0].SerialNumber)] = true
	}
	return p
}

func rotate(t *testing.T, r rotation) {
	dir := t.TempDir()
	t.Chdir(dir) // what the command line is told is relative
	certs(t, "init-ca")
	certs(t, "issue", "--out", "api", "--dns", "localhost", "--ip", "127.0.0.1", "--lifetime", r.lifetime.String())
	certs(t, "issue", "--out", "web", "--profile", "client", "--spiffe", "spiffe://example.org/web", "--lifetime", r.lifetime.String())
	sidecar := exec.Command(os.Args[0], "certs", "renew", "--loop", "--every", "2s", "-o", "json", "api", "web")
	sidecar.Env = append(os.Environ(), commandEnv+"=1")
	renewer := start(t, sidecar)

	ctx, cancel := context.WithCancel(t.Context())
	reloader, err := tlsx.NewReloader(files(filepath.Join(dir, "web"), tlsx.ForClient), tlsx.WithLogger(slog.New(slog.DiscardHandler)))
	assert.NoError(t, err)
	var following sync.WaitGroup
	following.Go(func() { _ = reloader.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		following.Wait()
	})
	t.Chdir(sourceDir) // where the examples are
	addr := r.serve(t, dir)
	dial := func() *grpc.ClientConn {
		conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(credentials.NewTLS(tlsx.ClientConfig(reloader, tlsx.ServerName("localhost")))))
		assert.NoError(t, err)
		return conn
	}
	waitFor(t, "the server", func() bool {
		conn := dial()
		defer func() { _ = conn.Close() }()
		_, err := healthpb.NewHealthClient(conn).Check(ctx, new(healthpb.HealthCheckRequest))
		return err == nil
	})

	l := &load{servers: map[string]bool{}}
	first := reloader.Current().Generation()
	var wg sync.WaitGroup
	end := time.NewTimer(r.run)
	defer end.Stop()
	stop := make(chan struct{})
	running := func() bool {
		select {
		case <-stop:
			return false
		default:
			return true
		}
	}
	redials := make([]int, 2)
	for i := range redials {
		wg.Go(func() {
			conn := dial()
			defer func() { _ = conn.Close() }()
			var callers sync.WaitGroup
			addrs := make([]map[string]bool, 4)
			for k := range addrs {
				addrs[k] = map[string]bool{}
				callers.Go(func() {
					pace := time.NewTicker(5 * time.Millisecond)
					defer pace.Stop()
					for running() {
						if p := l.call(ctx, conn); p.LocalAddr != nil {
							addrs[k][p.LocalAddr.String()] = true
						}
						<-pace.C
					}
				})
			}
			callers.Wait()
			redials[i] = len(addrs[0]) - 1
		})
	}
	for range 2 {
		wg.Go(func() {
			pace := time.NewTicker(5 * time.Millisecond)
			defer pace.Stop()
			for running() {
				conn := dial()
				l.call(ctx, conn)
				_ = conn.Close()
				l.fresh.Add(1)
				<-pace.C
			}
		})
	}
	<-end.C
	close(stop)
	wg.Wait()
	renewer.stop(t)

	t.Logf("%d calls, %d of them on new connections, %d failed; %d certificates of servers seen, %d of clients used, lasting connections made again %v times",
		l.calls.Load(), l.fresh.Load(), l.failed.Load(), len(l.servers), reloader.Current().Generation()-first, redials)
	assert.Equal(t, l.failed.Load(), 0, strings.Join(l.errors, "\n"))
	rotations := int(r.run/(2*time.Second)) - 1
	assert.True(t, len(l.servers) >= rotations, fmt.Sprint(len(l.servers), " certificates of servers"))
	assert.True(t, int(reloader.Current().Generation()-first) >= rotations, "certificates of clients")
	assert.True(t, l.fresh.Load() >= int64(20*rotations), fmt.Sprint(l.fresh.Load(), " new connections"))
	for _, n := range redials {
		assert.True(t, n >= r.redials, fmt.Sprint("connections made again ", redials))
	}
	assert.Equal(t, renewer.err.String(), "")
	assert.True(t, strings.Count(renewer.out.String(), `"renewed":true`) >= 2*rotations, "renewals")

	var index struct{ Certificates []struct{ Serial string } }
	data, err := os.ReadFile(filepath.Join(dir, "ca", "index.json"))
	assert.NoError(t, err)
	assert.NoError(t, json.Unmarshal(data, &index))
	for _, c := range index.Certificates {
		delete(l.servers, c.Serial)
	}
	assert.Equal(t, len(l.servers), 0, "certificates that are not in the index")
}

// sourceDir is where the test was started.
var sourceDir, _ = os.Getwd()
