package grpcx_test

import (
	"encoding/json"
	"errors"
	"math"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// Whatever the environment holds, New does not panic, its errors are
// OptionErrors, and the environment weakens nothing: no limit is off and
// mutual TLS stays.
func FuzzFromEnv(f *testing.F) {
	for _, seed := range [][4]string{
		{"ADDR", "127.0.0.1:7", "PROBE_ADDR", ":8086"},
		{"ADDR", "unix:/run/app.sock", "ADDR", "nowhere"},
		{"ADMIN_ADDR", "0.0.0.0:6060", "PROBE_TLS", "true"},
		{"ADMIN_ADDR", "localhost:6060", "PROBE_TLS", "f"},
		{"ADMIN_ADDR", "[::ffff:10.0.0.1]:1", "PROBE_ADDR", ":1"},
		{"TLS_CERT", "/nonexistent", "TLS_CLIENT_CA", "/dev/null"},
		{"MAX_RECV_BYTES", "1048576", "MAX_SEND_BYTES", "-1"},
		{"MAX_HEADER_BYTES", "4294967296", "MAX_CONCURRENT_STREAMS", "4294967296"},
		{"MAX_CONNECTIONS", "0", "MAX_CONNECTIONS", "9223372036854775808"},
		{"CONNECTION_TIMEOUT", "-3s", "FIRST_MESSAGE_TIMEOUT", "1e9h"},
		{"KEEPALIVE_TIME", "30s", "KEEPALIVE_MAX_CONNECTION_AGE", "-1ns"},
		{"KEEPALIVE_DENY_WITHOUT_STREAM", "maybe", "KEEPALIVE_MIN_TIME", "0s"},
		{"DRAIN_TIMEOUT", "-1s", "DRAIN_DELAY", "-1s"},
		{"ADR", ":1", "PORT_50051_TCP", "tcp://10.0.0.2:50051"},
		{"", "x", "COLOUR_SCHEME", "dark"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	certs, err := devcert.Dir(f.TempDir())
	assert.NoError(f, err)
	files := certs.ServerFiles()

	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string) {
		for key, value := range map[string]string{key1: value1, key2: value2} {
			if strings.ContainsAny(key, "=\x00") || strings.Contains(value, "\x00") {
				t.Skip("no process can have such a variable")
			}
			t.Setenv("APP_GRPC_"+key, value)
		}
		for _, security := range []grpcx.Option{grpcx.WithInsecure(), grpcx.WithTLSFiles(files)} {
			mutual, err := grpcx.New(security)
			assert.NoError(t, err)
			srv, err := grpcx.New(security, grpcx.FromEnv("APP"))
			if err != nil {
				wantOptionErrors(t, err)
				continue
			}
			s := srv.Settings()
			wantLimited(t, s.Limits)
			assert.True(t, s.Drain.Timeout > 0, "Drain.Timeout")
			wantLoopback(t, s.AdminAddr)
			if mode := mutual.Settings().TLS.Mode; mode != "plaintext" {
				assert.Equal(t, s.TLS.Mode, mode)
			}
		}
	})
}

// wantLoopback reports an address that another machine could reach.
func wantLoopback(t *testing.T, addr string) {
	t.Helper()
	if addr == "" || strings.HasPrefix(addr, "unix:") {
		return
	}
	host, _, err := net.SplitHostPort(addr)
	assert.NoError(t, err)
	if !strings.EqualFold(host, "localhost") && !net.ParseIP(host).IsLoopback() {
		t.Errorf("the environment opened the admin listener on %s", addr)
	}
}

// wantOptionErrors walks what New joined.
func wantOptionErrors(t *testing.T, err error) {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		joined = asJoined{err}
	}
	for _, e := range joined.Unwrap() {
		var oe *grpcx.OptionError
		if !errors.As(e, &oe) || error(oe) != e {
			t.Errorf("got the error %T (%v), want only *OptionError", e, e)
		} else if oe.Option == "" || oe.Err == nil {
			t.Errorf("got %#v, want an error that names its option and cause", oe)
		}
	}
}

type asJoined []error

func (j asJoined) Unwrap() []error { return j }

// wantLimited reports the limits that are not positive.
func wantLimited(t *testing.T, limits grpcx.Limits) {
	t.Helper()
	v := reflect.ValueOf(limits)
	for i := range v.NumField() {
		if v.Field(i).Int() <= 0 {
			t.Errorf("the environment set Limits.%s to %v", v.Type().Field(i).Name, v.Field(i))
		}
	}
}

// A limit beyond the 32 bits of the protocol is a high limit, not none: the
// environment could lift it that way.
func TestHugeStreamLimitIsALimit(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	t.Setenv("APP_GRPC_MAX_CONCURRENT_STREAMS", "4294967296")
	t.Setenv("APP_GRPC_MAX_HEADER_BYTES", "4294967296")
	grpcxtest.New(t, grpcx.WithListener(lis), grpcx.FromEnv("APP"))

	conn, err := net.Dial("tcp", lis.Addr().String())
	assert.NoError(t, err)
	defer conn.Close()
	assert.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = conn.Write([]byte(http2.ClientPreface))
	assert.NoError(t, err)
	framer := http2.NewFramer(conn, conn)
	assert.NoError(t, framer.WriteSettings())
	frame, err := framer.ReadFrame()
	assert.NoError(t, err)
	settings, isSettings := frame.(*http2.SettingsFrame)
	if !isSettings {
		t.Fatalf("got %v, want SETTINGS first", frame)
	}
	for _, id := range []http2.SettingID{http2.SettingMaxConcurrentStreams, http2.SettingMaxHeaderListSize} {
		got, advertised := settings.Value(id)
		assert.True(t, advertised && got >= 1<<31-1, id.String())
	}
}

// What is read from JSON is written and read again unchanged; what is refused
// leaves the config as it was.
func FuzzConfigJSON(f *testing.F) {
	for _, seed := range []any{
		grpcx.Limits{}, grpcx.Keepalive{}, grpcx.Drain{},
		grpcx.Limits{MaxRecvBytes: -1, MaxConnections: math.MaxInt, FirstMessageTimeout: 250 * time.Millisecond},
		grpcx.Keepalive{Time: time.Hour, MaxConnectionAge: -1, DenyWithoutStream: true},
		grpcx.Drain{Delay: -1 << 63, Timeout: 1<<63 - 1, Stop: 1},
	} {
		data, err := json.Marshal(seed)
		assert.NoError(f, err)
		f.Add(data)
	}
	for _, seed := range []string{
		`null`, `{"delay": null}`, `{"delay": "1h1m1.5s"}`, `{"time": 5}`, `{"deny_without_stream": "true"}`,
		`{"max_recv_bytes": "7", "max_recv_bytes": 8}`, `{"stop": "5s", "x": 1}`, `{"STOP": "5s"}`, `[1]`, `{`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		roundTrip(t, data, grpcx.Limits{MaxSendBytes: 7})
		roundTrip(t, data, grpcx.Keepalive{MinTime: 7})
		roundTrip(t, data, grpcx.Drain{Timeout: 7})
	})
}

func roundTrip[T comparable](t *testing.T, data []byte, before T) {
	t.Helper()
	read := before
	if err := json.Unmarshal(data, &read); err != nil {
		assert.Equal(t, read, before, "after "+err.Error())
		return
	}
	written, err := json.Marshal(read)
	assert.NoError(t, err)
	var again T
	assert.NoError(t, json.Unmarshal(written, &again), string(written))
	assert.Equal(t, again, read, string(written))
}
