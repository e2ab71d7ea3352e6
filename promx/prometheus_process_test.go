package promx_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
)

// prometheus is a Prometheus that runs for one test.
type prometheusServer struct{ url string }

// target is a server to scrape and what to call it.
type target struct {
	instance string
	addr     net.Addr
}

// startPrometheus scrapes the targets every second, with the rules of the
// directory alerts.
func startPrometheus(t *testing.T, targets []target, flags ...string) *prometheusServer {
	t.Helper()
	rules, err := filepath.Abs("alerts/grpcx.yaml")
	assert.NoError(t, err)
	var config strings.Builder
	fmt.Fprintf(&config, "global: {scrape_interval: 1s, scrape_timeout: 900ms, evaluation_interval: 1s}\nrule_files: [%s]\n", rules)
	config.WriteString("scrape_configs:\n  - job_name: grpcx\n    static_configs:\n")
	for _, one := range targets {
		fmt.Fprintf(&config, "      - {targets: [%q], labels: {instance: %s}}\n", one.addr, one.instance)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	assert.NoError(t, os.WriteFile(file, []byte(config.String()), 0o600))
	run(t, nil, "promtool", "check", "config", file)

	lis, err := net.Listen("tcp", "127.0.0.1:0")
	assert.NoError(t, err)
	addr := lis.Addr().String()
	assert.NoError(t, lis.Close())
	log, err := os.Create(filepath.Join(dir, "log"))
	assert.NoError(t, err)
	defer log.Close()
	cmd := exec.Command("prometheus", append(flags, "--config.file="+file, "--web.listen-address="+addr,
		"--storage.tsdb.path="+filepath.Join(dir, "data"))...)
	cmd.Stdout, cmd.Stderr = log, log
	assert.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("prometheus:\n%s", text)
		}
	})
	p := &prometheusServer{"http://" + addr}
	eventually(t, "Prometheus is ready", func() error {
		resp, err := client.Get(p.url + "/-/ready")
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s", resp.Status)
		}
		return nil
	})
	return p
}

// run runs a command and returns what it wrote.
func run(t *testing.T, stdin io.Reader, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = stdin
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// sample is a series of an answer with its value; what a histogram has instead
// is not looked at.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

// query evaluates an expression now.
func (p *prometheusServer) query(t *testing.T, expr string) ([]sample, error) {
	t.Helper()
	var data struct {
		Result []sample `json:"result"`
	}
	err := p.api(t, "/api/v1/query", url.Values{"query": {expr}}, &data)
	return data.Result, err
}

func (p *prometheusServer) api(t *testing.T, path string, query url.Values, data any) error {
	t.Helper()
	resp, err := client.Get(p.url + path + "?" + query.Encode())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", query.Get("query"), answer.Error)
	}
	return json.Unmarshal(answer.Data, data)
}

// eventually asks another process until it agrees.
func eventually(t *testing.T, what string, ask func() error) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within a minute: %s: %v", what, err)
		}
	}
}
