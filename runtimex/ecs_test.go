package runtimex_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/runtimex"
)

const ecsVariable = "ECS_CONTAINER_METADATA_URI_V4"

// ecsEndpoint serves a task metadata endpoint and points this process at it.
func ecsEndpoint(t *testing.T, task, container http.HandlerFunc) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v4/0123-456/task", task)
	mux.HandleFunc("GET /v4/0123-456", container)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	t.Setenv(ecsVariable, s.URL+"/v4/0123-456")
}

func ecsText(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

func TestECSLimits(t *testing.T) {
	const none = runtimex.NoLimit
	tests := []struct {
		name, task, container string
		cpus                  float64
		memory                int64
	}{
		{
			// As in the documentation, shortened.
			name: "Fargate",
			task: `{"Cluster": "default", "Family": "curltest", "Revision": "3", "Limits": {"CPU": 0.25, "Memory": 512},
				"Containers": [{"DockerId": "cd18", "Limits": {"CPU": 10, "Memory": 128}}], "LaunchType": "FARGATE"}`,
			container: `{"DockerId": "cd18", "Name": "curl", "Limits": {"CPU": 2}, "Type": "NORMAL"}`,
			cpus:      0.25, memory: 512 << 20,
		},
		{
			name:      "the container has less memory",
			task:      `{"Limits": {"CPU": 4, "Memory": 8192}}`,
			container: `{"Limits": {"CPU": 10, "Memory": 128}}`,
			cpus:      4, memory: 128 << 20,
		},
		{
			name:      "the container has more memory",
			task:      `{"Limits": {"CPU": 4, "Memory": 512}}`,
			container: `{"Limits": {"CPU": 0, "Memory": 1024}}`,
			cpus:      4, memory: 512 << 20,
		},
		{
			name:      "shares are no limit",
			task:      `{"Cluster": "default"}`,
			container: `{"Limits": {"CPU": 1024, "Memory": 300}}`,
			memory:    300 << 20,
		},
		{name: "no limits", task: `{"Cluster": "default"}`, container: `{"Name": "curl"}`, memory: none},
		{name: "null", task: `{"Limits": null}`, container: `{"Limits": {"CPU": null, "Memory": null}}`, memory: none},
		{name: "zero", task: `{"Limits": {"CPU": 0, "Memory": 0}}`, container: `{"Limits": {}}`, memory: none},
		{name: "CPU only", task: `{"Limits": {"CPU": 1.5}}`, container: `{}`, cpus: 1.5, memory: none},
		{name: "beyond int64", task: `{"Limits": {"Memory": 1e300}}`, container: `{}`, memory: none},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ecsEndpoint(t, ecsText(tt.task), ecsText(tt.container))
			got, err := runtimex.AskECS(t.Context())
			assert.NoError(t, err)
			assert.Equal(t, got, runtimex.Limits{CPUQuota: tt.cpus, Memory: tt.memory})
		})
	}
}

func TestECSErrors(t *testing.T) {
	good := ecsText(`{"Limits": {"CPU": 1, "Memory": 512}}`)
	tests := []struct {
		name            string
		task, container http.HandlerFunc
		want            []string
	}{
		{"not found", http.NotFound, good, []string{"/v4/0123-456/task", "404 Not Found"}},
		{"container not found", good, http.NotFound, []string{"/v4/0123-456:", "404 Not Found"}},
		{"redirect", http.RedirectHandler("/elsewhere", http.StatusFound).ServeHTTP, good, []string{"302 Found", "not 200"}},
		{"no JSON", ecsText("<html>"), good, []string{"/task", "invalid character '<'"}},
		{"empty", ecsText(""), good, []string{"/task", "unexpected end"}},
		{"cut off", ecsText(`{"Limits": {"CPU": 1`), good, []string{"unexpected end"}},
		{"of another type", ecsText(`{"Limits": {"CPU": "1 vCPU"}}`), good, []string{"Limits.CPU"}},
		{"negative CPU", ecsText(`{"Limits": {"CPU": -1}}`), good, []string{"Limits.CPU is negative: -1"}},
		{"negative memory", ecsText(`{"Limits": {"Memory": -1}}`), good, []string{"Limits.Memory is negative: -1"}},
		{"negative memory of the container", good, ecsText(`{"Limits": {"Memory": -5}}`), []string{"Limits.Memory is negative: -5"}},
		{"endless", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := fmt.Fprint(w, strings.Repeat(" ", 64<<10)); err != nil {
					return
				}
			}
		}, good, []string{"longer than 1048576 bytes"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ecsEndpoint(t, tt.task, tt.container)
			got, err := runtimex.AskECS(t.Context())
			assert.ErrorContains(t, err, append(tt.want, "ECS task metadata endpoint")...)
			assert.Equal(t, got, runtimex.Limits{})
			assert.True(t, !errors.Is(err, runtimex.ErrNoECS))
		})
	}
}

func TestECSOutsideECS(t *testing.T) {
	t.Setenv(ecsVariable, "")
	_, err := runtimex.AskECS(t.Context())
	assert.ErrorIs(t, err, runtimex.ErrNoECS)
	assert.ErrorContains(t, err, ecsVariable, "not set", "Fargate 1.4.0")
	for _, value := range []string{"169.254.170.2/v4", "https://169.254.170.2/v4/1", "file:///etc/passwd", "http://", "http://a b/", "http://127.0.0.1/?x=1"} {
		t.Setenv(ecsVariable, value)
		_, err := runtimex.AskECS(t.Context())
		assert.ErrorContains(t, err, ecsVariable, "is not the http URL")
	}
}

func TestECSSilence(t *testing.T) {
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	ecsEndpoint(t, silent, silent)
	start := time.Now()
	_, err := runtimex.ECSLimits(t.Context())
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.True(t, time.Since(start) >= time.Second, "it gave up early")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = runtimex.ECSLimits(ctx)
	assert.ErrorIs(t, err, context.Canceled)
}

// TestECSTrailingSlash: with it the path would have two slashes.
func TestECSTrailingSlash(t *testing.T) {
	ecsEndpoint(t, ecsText(`{"Limits": {"CPU": 2}}`), ecsText(`{}`))
	t.Setenv(ecsVariable, os.Getenv(ecsVariable)+"/")
	got, err := runtimex.AskECS(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, got.CPUQuota, 2)
}

func FuzzECS(f *testing.F) {
	for _, text := range []string{
		`{"Limits": {"CPU": 0.25, "Memory": 512}}`, `{"Limits": null}`, `{}`, ``, `[]`, `{"Limits": {"CPU": 1e308, "Memory": 1e308}}`,
		`{"Limits": {"CPU": -0, "Memory": 1e-9}}`, `{"limits": {"cpu": "1"}}`, `{"Limits": {"Memory": 8796093022208}}`, `{"Limits": {"CPU": 1e999}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		task, err := runtimex.ParseECSTask(text)
		container, containerErr := runtimex.ParseECSContainer(text)
		if (err == nil || containerErr == nil) && !json.Valid(text) {
			t.Fatal("this is no JSON")
		}
		if err == nil {
			assert.NoError(t, containerErr)
			assert.True(t, task.CPUQuota >= 0 && !math.IsInf(task.CPUQuota, 0) && task.Memory > 0, fmt.Sprint(task))
		}
		if containerErr == nil {
			assert.True(t, container.CPUQuota == 0 && container.Memory > 0, fmt.Sprint(container))
		}
	})
}
