package runtimex

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	ecsVariable = "ECS_CONTAINER_METADATA_URI_V4"
	ecsTimeout  = time.Second
	ecsMaxBody  = 1 << 20
)

// ErrNoECS is what the error of [WithECS] wraps when the environment names no
// task metadata endpoint of version 4.
var ErrNoECS = errors.New("there is no ECS task metadata endpoint")

// ecsLimits asks the task metadata endpoint, version 4, of Amazon ECS for the
// limits of the task and of this container. See
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html.
func ecsLimits(ctx context.Context) (Limits, error) {
	ctx, cancel := context.WithTimeout(ctx, ecsTimeout)
	defer cancel()
	return askECS(ctx)
}

func askECS(ctx context.Context) (Limits, error) {
	base := strings.TrimSuffix(os.Getenv(ecsVariable), "/")
	if base == "" {
		return Limits{}, fmt.Errorf("%w: %s is not set; either this process runs outside ECS, where WithECS has no place, or the platform is too old: use Fargate 1.4.0 or agent 1.39.0 and later", ErrNoECS, ecsVariable)
	}
	if u, err := url.Parse(base); err != nil || u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return Limits{}, fmt.Errorf("%s=%q is not the http URL that ECS sets; do not set it yourself", ecsVariable, base)
	}
	transport := &http.Transport{MaxResponseHeaderBytes: 64 << 10} // no proxy
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport: transport,
		// The answer is then the redirect itself, which is not 200.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}

	limits := Limits{Memory: NoLimit}
	for _, doc := range []struct {
		url   string
		parse func([]byte) (Limits, error)
	}{{base + "/task", parseECSTask}, {base, parseECSContainer}} {
		text, err := ecsGet(ctx, client, doc.url)
		if err != nil {
			return Limits{}, fmt.Errorf("ECS task metadata endpoint: %w", err)
		}
		l, err := doc.parse(text)
		if err != nil {
			return Limits{}, fmt.Errorf("ECS task metadata endpoint: %s: %w", doc.url, err)
		}
		limits = tighter(limits, l)
	}
	return limits, nil
}

func ecsGet(ctx context.Context, client *http.Client, from string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err // names the URL
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: the answer is %s, not 200 OK", from, resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, ecsMaxBody+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	if len(text) > ecsMaxBody {
		return nil, fmt.Errorf("%s: the answer is longer than %d bytes", from, ecsMaxBody)
	}
	return text, nil
}

// ecsDocument is what is used of both documents. Limits is absent when there
// are none.
type ecsDocument struct {
	Limits struct {
		CPU    float64
		Memory float64 // MiB
	}
}

// parseECSTask reads the document of the task, in which CPU is in vCPUs.
func parseECSTask(text []byte) (Limits, error) {
	doc, memory, err := parseECS(text)
	if err != nil {
		return Limits{}, err
	}
	if doc.Limits.CPU < 0 {
		return Limits{}, fmt.Errorf("Limits.CPU is negative: %v", doc.Limits.CPU)
	}
	return Limits{CPUQuota: doc.Limits.CPU, Memory: memory}, nil
}

// parseECSContainer reads the document of a container. There CPU is a number of
// shares, a weight among containers and no limit.
func parseECSContainer(text []byte) (Limits, error) {
	_, memory, err := parseECS(text)
	return Limits{Memory: memory}, err
}

func parseECS(text []byte) (doc ecsDocument, memory int64, err error) {
	if err := json.Unmarshal(text, &doc); err != nil { //nolint:musttag // ECS spells the names as Go does
		return doc, 0, err
	}
	switch bytes := doc.Limits.Memory * (1 << 20); {
	case bytes < 0:
		return doc, 0, fmt.Errorf("Limits.Memory is negative: %v", doc.Limits.Memory)
	case bytes == 0, bytes >= math.MaxInt64:
		return doc, NoLimit, nil
	default:
		// Less than a byte is a limit all the same.
		return doc, max(int64(bytes), 1), nil
	}
}
