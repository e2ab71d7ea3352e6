package grpcx_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/tap"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/healthx"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// optionErrors lists the OptionErrors in err as "Option.Field".
func optionErrors(err error) []string {
	var names []string
	var walk func(error)
	walk = func(err error) {
		if oe, ok := err.(*grpcx.OptionError); ok {
			names = append(names, strings.TrimSuffix(oe.Option+"."+oe.Field, "."))
			return
		}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				walk(e)
			}
		}
	}
	walk(err)
	return names
}

// Every wrong option is an error that names it and the remedy.
func TestWrongOptions(t *testing.T) {
	for _, test := range []struct {
		name   string
		opt    grpcx.Option
		want   string // Option.Field
		remedy string
	}{
		{"nil option", nil, "Option", "leave it out"},
		{"addr", grpcx.WithAddr("localhost"), "WithAddr", "write host:port"},
		{"addr port", grpcx.WithAddr("localhost:99999"), "WithAddr", "from 0 to 65535"},
		{"addr empty", grpcx.WithAddr(""), "WithAddr", "write host:port"},
		{"unix", grpcx.WithAddr("unix:"), "WithAddr", "unix:/run/app.sock"},
		{"listener", grpcx.WithListener(nil), "WithListener", "net.Listen"},
		{"typed nil listener", grpcx.WithListener((*net.TCPListener)(nil)), "WithListener", "net.Listen"},
		{"tls source", grpcx.WithTLS(nil), "WithTLS", "tlsx.Static"},
		{"tls source without a snapshot", grpcx.WithTLS(emptySource{}), "WithTLS", "start it before New"},
		{"tls source with an empty snapshot", grpcx.WithTLS(tlsx.Static(new(tlsx.Snapshot))), "WithTLS", "start it before New"},
		{"tls source of a client", grpcx.WithTLS(mustDevcert(t).ClientSource()), "WithTLS.Usage", "tlsx.ForServer"},
		{"recv", grpcx.WithLimits(grpcx.Limits{MaxHeaderBytes: -1}), "WithLimits.MaxHeaderBytes", "must be positive"},
		{"small header", grpcx.WithLimits(grpcx.Limits{MaxHeaderBytes: 10}), "WithLimits.MaxHeaderBytes", "at least 4096"},
		{"conn timeout", grpcx.WithLimits(grpcx.Limits{ConnectionTimeout: -time.Second}), "WithLimits.ConnectionTimeout", "default of 10s"},
		{"keepalive", grpcx.WithKeepalive(grpcx.Keepalive{Time: -1}), "WithKeepalive.Time", "default of 30s"},
		{"keepalive short", grpcx.WithKeepalive(grpcx.Keepalive{Time: time.Millisecond}), "WithKeepalive.Time", "1s"},
		{"keepalive timeout", grpcx.WithKeepalive(grpcx.Keepalive{Timeout: -1}), "WithKeepalive.Timeout", "default of 10s"},
		{"min time", grpcx.WithKeepalive(grpcx.Keepalive{MinTime: -1}), "WithKeepalive.MinTime", "default of 10s"},
		{"drain timeout", grpcx.WithDrain(grpcx.Drain{Timeout: -1}), "WithDrain.Timeout", "default of 15s"},
		{"drain stop", grpcx.WithDrain(grpcx.Drain{Stop: -1}), "WithDrain.Stop", "default of 5s"},
		{"check", grpcx.WithCheck("db", nil), "WithCheck.db", "nil"},
		{"check twice", grpcx.Options(grpcx.WithCheck("db", ok), grpcx.WithCheck("db", ok)), "WithCheck.db", "db"},
		{"check of the server's own name", grpcx.WithCheck("gc-pressure", ok), "WithCheck.gc-pressure", "choose another"},
		{"check option", grpcx.WithCheck("db", ok, healthx.Interval(-1)), "WithCheck.db", "nterval"},
		{"probe", grpcx.WithProbeAddr("8086"), "WithProbeAddr", "write host:port"},
		{"probe TLS alone", grpcx.WithProbeTLS(), "WithProbeTLS", "add WithProbeAddr"},
		{"probe TLS without a certificate", grpcx.Options(grpcx.WithProbeAddr(":0"), grpcx.WithProbeTLS()), "WithProbeTLS", "use WithTLSFiles or WithTLS"},
		{"admin", grpcx.WithAdminAddr("6060"), "WithAdminAddr", "write host:port"},
		{"matcher", grpcx.WithMethods(nil, grpcx.Policy{}), "WithMethods", "selector.MatchFunc"},
		{"log mode", grpcx.WithMethods(matchAll, grpcx.Policy{Log: 77}), "WithMethods.Log", "LogErrors"},
		{"logger", grpcx.WithLogger(nil), "WithLogger", "slog.DiscardHandler"},
		{"unary", grpcx.WithUnaryInterceptor(nil), "WithUnaryInterceptor", "leave it out"},
		{"stream", grpcx.WithStreamInterceptor(nil), "WithStreamInterceptor", "leave it out"},
		{"unknown", grpcx.WithUnknownHandler(nil), "WithUnknownHandler", "leave the option out"},
		{"setup", grpcx.WithSetup(nil), "WithSetup", "leave it out"},
		{"feature", grpcx.Without("telemetri"), "Without", "access-log"},
		{"env prefix", grpcx.FromEnv("my-app"), "FromEnv", "upper-case"},
		{"server option", grpcx.WithServerOptions(nil), "WithServerOptions", "leave it out"},
		{"creds", grpcx.WithServerOptions(grpc.Creds(insecure.NewCredentials())), "WithServerOptions.Creds", "use WithTLS"},
		{"unknown service", grpcx.WithServerOptions(grpc.UnknownServiceHandler(nil)), "WithServerOptions.UnknownServiceHandler", "use WithUnknownHandler"},
		{"recv size", grpcx.WithServerOptions(grpc.MaxRecvMsgSize(1)), "WithServerOptions.MaxRecvMsgSize", "use WithLimits"},
		{"send size", grpcx.WithServerOptions(grpc.MaxSendMsgSize(1)), "WithServerOptions.MaxSendMsgSize", "use WithLimits"},
		{"header size", grpcx.WithServerOptions(grpc.MaxHeaderListSize(1)), "WithServerOptions.MaxHeaderListSize", "use WithLimits"},
		{"streams", grpcx.WithServerOptions(grpc.MaxConcurrentStreams(1)), "WithServerOptions.MaxConcurrentStreams", "use WithLimits"},
		{"timeout", grpcx.WithServerOptions(grpc.ConnectionTimeout(1)), "WithServerOptions.ConnectionTimeout", "use WithLimits"},
		{"params", grpcx.WithServerOptions(grpc.KeepaliveParams(keepalive.ServerParameters{})), "WithServerOptions.KeepaliveParams", "use WithKeepalive"},
		{"enforcement", grpcx.WithServerOptions(grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{})), "WithServerOptions.KeepaliveEnforcementPolicy", "use WithKeepalive"},
		{"stream interceptor", grpcx.WithServerOptions(grpc.StreamInterceptor(nil)), "WithServerOptions.StreamInterceptor", "use WithStreamInterceptor"},
		{"what grpc-go refuses", grpcx.WithServerOptions(grpc.InTapHandle(tapNothing), grpc.InTapHandle(tapNothing)), "WithServerOptions", "repeats"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := grpcx.New(grpcx.WithInsecure(), test.opt)
			assert.Equal(t, optionErrors(err), []string{test.want})
			assert.ErrorContains(t, err, test.remedy)
			if test.opt != nil {
				_ = test.opt.String()
			}
		})
	}
}

type emptySource struct{}

func (emptySource) Current() *tlsx.Snapshot  { return nil }
func (emptySource) Changed() <-chan struct{} { return nil }

func mustDevcert(t *testing.T) *devcert.Authority {
	t.Helper()
	certs, err := devcert.New()
	assert.NoError(t, err)
	return certs
}

func ok(context.Context) error { return nil }

func tapNothing(ctx context.Context, _ *tap.Info) (context.Context, error) { return ctx, nil }

// All problems are reported at once.
func TestAllProblemsAtOnce(t *testing.T) {
	_, err := grpcx.New(
		grpcx.WithAddr("nowhere"),
		grpcx.WithLimits(grpcx.Limits{MaxHeaderBytes: -1, ConnectionTimeout: -1}),
		grpcx.WithDrain(grpcx.Drain{Timeout: -1}),
	)
	assert.Equal(t, optionErrors(err), []string{"WithAddr", "WithLimits.MaxHeaderBytes",
		"WithLimits.ConnectionTimeout", "WithDrain.Timeout", "WithTLSFiles"})
	var oe *grpcx.OptionError
	assert.True(t, errors.As(err, &oe))
	assert.True(t, errors.Is(err, oe))
}

func TestTransportSecurityIsADecision(t *testing.T) {
	_, err := grpcx.New()
	assert.Equal(t, optionErrors(err), []string{"WithTLSFiles"})
	assert.ErrorContains(t, err, "WithTLSFiles", "WithInsecure")

	certs, err := devcert.Dir(t.TempDir())
	assert.NoError(t, err)
	files := certs.ServerFiles()

	withoutCA := files
	withoutCA.ClientCA = ""
	_, err = grpcx.New(grpcx.WithTLSFiles(withoutCA))
	assert.Equal(t, len(optionErrors(err)), 1)
	assert.ErrorContains(t, err, "ClientCA", "NoClientCert")

	withoutCA.ClientAuth = tlsx.NoClientCert
	srv, err := grpcx.New(grpcx.WithTLSFiles(withoutCA))
	assert.NoError(t, err)
	assert.Equal(t, srv.Settings().TLS.Mode, "tls")

	srv, err = grpcx.New(grpcx.WithInsecure(), grpcx.WithTLSFiles(files))
	assert.NoError(t, err)
	assert.Equal(t, srv.Settings().TLS.Mode, "mutual tls")
}

// Every wrong file is an error that names its path.
func TestWrongFiles(t *testing.T) {
	dir := t.TempDir()
	certs, err := devcert.Dir(dir)
	assert.NoError(t, err)
	good := certs.ServerFiles()
	truncated := filepath.Join(dir, "truncated.crt")
	ca, err := os.ReadFile(good.ClientCA)
	assert.NoError(t, err)
	assert.NoError(t, os.WriteFile(truncated, append(ca, ca[:len(ca)/2]...), 0o600))
	empty := filepath.Join(dir, "empty.crt")
	assert.NoError(t, os.WriteFile(empty, nil, 0o600))
	missing := filepath.Join(dir, "missing.crt")

	for name, test := range map[string]struct {
		files tlsx.Files
		want  []string
	}{
		"truncated bundle": {tlsx.Files{Cert: good.Cert, Key: good.Key, ClientCA: truncated}, []string{truncated}},
		"empty bundle":     {tlsx.Files{Cert: good.Cert, Key: good.Key, ClientCA: empty}, []string{empty}},
		"all missing":      {tlsx.Files{Cert: missing, Key: missing, ClientCA: missing}, []string{missing, missing, missing}},
		"swapped":          {tlsx.Files{Cert: good.Key, Key: good.Cert, ClientCA: good.ClientCA}, []string{good.Key, good.Cert}},
		"foreign key":      {tlsx.Files{Cert: good.Cert, Key: certs.ClientFiles().Key, ClientCA: good.ClientCA}, []string{certs.ClientFiles().Key}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := grpcx.New(grpcx.WithTLSFiles(test.files))
			var want []string
			for _, path := range test.want {
				want = append(want, "WithTLSFiles."+path)
			}
			assert.Equal(t, optionErrors(err), want)
			key, readErr := os.ReadFile(good.Key)
			assert.NoError(t, readErr)
			assert.NotContains(t, err.Error(), strings.Split(string(key), "\n")[1])
		})
	}
}

// A development certificate is for loopback only.
func TestDevelopmentCertificateStaysHome(t *testing.T) {
	certs, err := devcert.New()
	assert.NoError(t, err)
	srv, err := grpcx.New(grpcx.WithTLS(certs.ServerSource()), grpcx.WithAddr("0.0.0.0:0"))
	assert.NoError(t, err)
	err = srv.Serve(t.Context())
	assert.Equal(t, optionErrors(err), []string{"WithTLS"})
	assert.ErrorContains(t, err, "loopback", "127.0.0.1")

	srv, err = grpcx.New(grpcx.WithTLS(certs.ServerSource()), grpcx.WithAddr("127.0.0.1:0"),
		grpcx.WithProbeAddr("0.0.0.0:0"), grpcx.WithProbeTLS())
	assert.NoError(t, err)
	err = srv.Serve(t.Context())
	assert.Equal(t, optionErrors(err), []string{"WithTLS"})
	assert.ErrorContains(t, err, "loopback")
}

func TestBindErrorFromServe(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	defer lis.Close()
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithAddr(lis.Addr().String()))
	assert.NoError(t, err)
	err = srv.Serve(t.Context())
	assert.ErrorIs(t, err, errAddrInUse)
	assert.ErrorContains(t, err, lis.Addr().String())
	within(t, time.Second, "Done", srv.Done())
}

func TestPrecedence(t *testing.T) {
	srv, err := grpcx.New(
		grpcx.Options(grpcx.WithInsecure(), grpcx.WithLimits(grpcx.Limits{MaxRecvBytes: 1 << 20, MaxSendBytes: 2 << 20})),
		grpcx.WithLimits(grpcx.Limits{MaxRecvBytes: -1, MaxConcurrentStreams: 7}),
		grpcx.WithAddr("127.0.0.1:1"), grpcx.WithAddr("127.0.0.1:2"),
		grpcx.WithProbeAddr(":1"), grpcx.WithProbeAddr(":2"),
		grpcx.WithAdminAddr(":3"), grpcx.WithAdminAddr(":4"),
		grpcx.Without(grpcx.Recovery), grpcx.Without(grpcx.Health),
	)
	assert.NoError(t, err)
	s := srv.Settings()
	assert.Equal(t, s.Limits.MaxRecvBytes, -1)
	assert.Equal(t, s.Limits.MaxSendBytes, 2<<20)
	assert.Equal(t, s.Limits.MaxConcurrentStreams, 7)
	assert.Equal(t, s.Limits.ConnectionTimeout, 10*time.Second)
	assert.Equal(t, s.Addrs, []string{"127.0.0.1:1", "127.0.0.1:2"})
	assert.Equal(t, s.ProbeAddr, ":2")
	assert.Equal(t, s.AdminAddr, "127.0.0.1:4")
	assert.Equal(t, s.Without, []grpcx.Feature{grpcx.Health})
	assert.Contains(t, fmt.Sprint(s.Options), "WithInsecure", "MaxRecvBytes:1048576", "WithAddr(127.0.0.1:1)")
}

func TestWrongRegistrationsFailServe(t *testing.T) {
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithListener(bufconn.Listen(1)))
	assert.NoError(t, err)
	testgrpc.RegisterTestServiceServer(srv, &service{})
	testgrpc.RegisterTestServiceServer(srv, &service{})
	srv.RegisterService(&testgrpc.ReconnectService_ServiceDesc, struct{}{})
	srv.RegisterService(nil, nil)
	err = srv.Serve(t.Context())
	assert.Equal(t, optionErrors(err), []string{"RegisterService.grpc.testing.TestService",
		"RegisterService.grpc.testing.ReconnectService", "RegisterService"})
	assert.ErrorContains(t, err, "twice", "does not implement", "nil")
}

// A service on the raw server has no recovery and no policy.
func TestBypassIsRefused(t *testing.T) {
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithListener(bufconn.Listen(1)))
	assert.NoError(t, err)
	testgrpc.RegisterTestServiceServer(srv.GRPC(), &service{})
	err = srv.Serve(t.Context())
	assert.Equal(t, optionErrors(err), []string{"GRPC.grpc.testing.TestService"})
	assert.ErrorContains(t, err, "register it on the grpcx.Server")
}

func TestSettingsHideSecrets(t *testing.T) {
	dir := t.TempDir()
	certs, err := devcert.Dir(dir)
	assert.NoError(t, err)
	srv, err := grpcx.New(grpcx.WithTLSFiles(certs.ServerFiles()))
	assert.NoError(t, err)
	key, err := os.ReadFile(certs.ServerFiles().Key)
	assert.NoError(t, err)
	body := strings.Split(string(key), "\n")[1]
	data := mustJSON(t, srv.Settings())
	var logs logBuffer
	slog.New(slog.NewTextHandler(&logs, nil)).Info("x", "settings", srv.Settings())
	for _, text := range []string{data, logs.String(), fmt.Sprintf("%+v %#v", srv.Settings(), srv.Settings())} {
		assert.NotContains(t, text, body, "PRIVATE KEY")
		assert.Contains(t, text, "mutual tls")
	}
	assert.Contains(t, data, `"connection_timeout":"10s"`, certs.ServerFiles().Cert)
}
