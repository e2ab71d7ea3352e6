package otlp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
)

// collector is the process, with one address for each protocol.
type collector struct {
	addr map[string]string
	ca   string // file of its CA; empty: plaintext
	out  string // file of what arrived

	config string
	cmd    *exec.Cmd
	log    *bytes.Buffer
	ended  sync.WaitGroup
}

// newCollector starts a Collector, with TLS if secure.
func newCollector(t *testing.T, secure bool) *collector {
	t.Helper()
	dir := t.TempDir()
	c := &collector{addr: map[string]string{"grpc": freeAddr(t), "http/protobuf": freeAddr(t)}, out: filepath.Join(dir, "out")}
	tls := ""
	if secure {
		ca := certtest.NewCA(t, "collectors")
		cert, key := ca.Issue(t, certtest.Server).Write(t, dir, "server")
		c.ca = ca.Write(t, dir, "ca")
		tls = fmt.Sprintf(", tls: {cert_file: %s, key_file: %s}", cert, key)
	}
	c.config = fmt.Sprintf(`
receivers: {otlp: {protocols: {grpc: {endpoint: "%s"%s}, http: {endpoint: "%s"%s}}}}
exporters: {lines: {path: %s}}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [lines]}
    metrics: {receivers: [otlp], exporters: [lines]}
    logs: {receivers: [otlp], exporters: [lines]}
`, c.addr["grpc"], tls, c.addr["http/protobuf"], tls, c.out)
	t.Cleanup(func() { c.kill() })
	c.start(t)
	return c
}

func freeAddr(t *testing.T) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	defer lis.Close()
	return lis.Addr().String()
}

// start runs the process, and returns when it listens.
func (c *collector) start(t *testing.T) {
	t.Helper()
	file, err := collectorBinary()
	assert.NoError(t, err)
	c.log = &bytes.Buffer{}
	c.cmd = exec.Command(file, "--config", "yaml:"+c.config)
	c.cmd.Stderr = c.log
	assert.NoError(t, c.cmd.Start())
	cmd, ended := c.cmd, make(chan struct{})
	c.ended.Go(func() {
		defer close(ended)
		_ = cmd.Wait()
	})
	for _, addr := range c.addr {
		waitFor(t, "the collector at "+addr, func() bool {
			select {
			case <-ended:
				t.Fatalf("the collector ended:\n%s", c.log)
			default:
			}
			conn, err := net.Dial("tcp", addr)
			if err == nil {
				_ = conn.Close()
			}
			return err == nil
		})
	}
}

// kill ends the process at once.
func (c *collector) kill() {
	if c.cmd != nil {
		_ = c.cmd.Process.Kill()
		c.ended.Wait()
		c.cmd = nil
	}
}

func (c *collector) signal(t *testing.T, s os.Signal) {
	t.Helper()
	assert.NoError(t, c.cmd.Process.Signal(s))
}

func (c *collector) url(protocol string) string {
	if c.ca != "" {
		return "https://" + c.addr[protocol]
	}
	return "http://" + c.addr[protocol]
}

// received is what arrived.
type received struct {
	spans    []span
	metrics  map[string]*metric
	logs     []record
	resource map[string]string
}

type span struct {
	TraceID, SpanID, ParentSpanID, Name string
	Kind                                int
	Attributes                          attributes
}

type record struct {
	TraceID, SpanID string
	Body            value
	Attributes      attributes
}

type metric struct {
	Name, Unit, Description                     string
	Sum, Gauge, Histogram, ExponentialHistogram *struct {
		DataPoints []struct{ Attributes attributes }
	}

	// keys are the attributes of any point, with the values seen.
	keys map[string]map[string]bool
}

type attributes []struct {
	Key   string
	Value value
}

type value struct {
	StringValue, IntValue string
	BoolValue             bool
	DoubleValue           float64
}

func (v value) text() string { return v.StringValue + v.IntValue }

func (a attributes) all() map[string]string {
	found := map[string]string{}
	for _, kv := range a {
		found[kv.Key] = kv.Value.text()
	}
	return found
}

type scoped struct {
	Resource struct{ Attributes attributes }

	ScopeSpans   []struct{ Spans []span }
	ScopeMetrics []struct{ Metrics []*metric }
	ScopeLogs    []struct{ LogRecords []record }
}

// read parses what arrived so far.
func (c *collector) read(t *testing.T) *received {
	t.Helper()
	r := &received{metrics: map[string]*metric{}, resource: map[string]string{}}
	data, err := os.ReadFile(c.out)
	if os.IsNotExist(err) {
		return r
	}
	assert.NoError(t, err)
	for line := range bytes.Lines(data) {
		var batch struct{ ResourceSpans, ResourceMetrics, ResourceLogs []scoped }
		if json.Unmarshal(line, &batch) != nil {
			continue // the last one, half written
		}
		for _, of := range [][]scoped{batch.ResourceSpans, batch.ResourceMetrics, batch.ResourceLogs} {
			for _, res := range of {
				r.add(res)
			}
		}
	}
	return r
}

func (r *received) add(res scoped) {
	maps.Copy(r.resource, res.Resource.Attributes.all())
	for _, s := range res.ScopeSpans {
		r.spans = append(r.spans, s.Spans...)
	}
	for _, s := range res.ScopeLogs {
		r.logs = append(r.logs, s.LogRecords...)
	}
	for _, s := range res.ScopeMetrics {
		for _, m := range s.Metrics {
			m.keys = map[string]map[string]bool{}
			if had := r.metrics[m.Name]; had != nil {
				m.keys = had.keys
			}
			r.metrics[m.Name] = m
			m.note()
		}
	}
}

func (m *metric) note() {
	data := m.Sum
	for _, other := range []*struct {
		DataPoints []struct{ Attributes attributes }
	}{m.Gauge, m.Histogram, m.ExponentialHistogram} {
		if other != nil {
			data = other
		}
	}
	if data == nil {
		return
	}
	for _, p := range data.DataPoints {
		for key, value := range p.Attributes.all() {
			if m.keys[key] == nil {
				m.keys[key] = map[string]bool{}
			}
			m.keys[key][value] = true
		}
	}
}
