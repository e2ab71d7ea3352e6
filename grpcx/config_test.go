package grpcx_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
)

func TestConfigJSON(t *testing.T) {
	in := grpcx.Keepalive{Time: 90 * time.Second, MinTime: 250 * time.Millisecond, MaxConnectionAge: -1, DenyWithoutStream: true}
	data, err := json.Marshal(in)
	assert.NoError(t, err)
	assert.Contains(t, string(data), `"time":"1m30s"`, `"min_time":"250ms"`, `"deny_without_stream":true`)
	var out grpcx.Keepalive
	assert.NoError(t, json.Unmarshal(data, &out))
	assert.Equal(t, out, in)
}

func TestConfigJSONKeepsAbsentFields(t *testing.T) {
	d := grpcx.Drain{Delay: time.Second, Stop: 2 * time.Second}
	assert.NoError(t, json.Unmarshal([]byte(`{"delay": "3s"}`), &d))
	assert.Equal(t, d, grpcx.Drain{Delay: 3 * time.Second, Stop: 2 * time.Second})
}

func TestConfigJSONMistakes(t *testing.T) {
	before := grpcx.Limits{MaxRecvBytes: 7}
	for text, parts := range map[string][]string{
		`{"max_recv_byte": 1}`:                       {"max_recv_byte", "no such key"},
		`{"connection_timeout": 5}`:                  {"connection_timeout", "with a unit"},
		`{"connection_timeout": "5"}`:                {"connection_timeout", "with a unit"},
		`{"max_recv_bytes": "4MiB"}`:                 {"max_recv_bytes", "in digits"},
		`{"max_recv_bytes": 1.5}`:                    {"max_recv_bytes", "in digits"},
		`{"max_recv_bytes": 1, "x": 1, "a": {}}`:     {"a: ", "x: "},
		`[1]`:                                        {"cannot unmarshal"},
		`{"max_recv_bytes": [1], "max_send_bytes":}`: {"invalid character"},
	} {
		limits := before
		err := json.Unmarshal([]byte(text), &limits)
		assert.ErrorContains(t, err, parts...)
		assert.Equal(t, limits, before, text)
	}
}
