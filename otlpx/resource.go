package otlpx

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// newResource describes this process. What the operator says in
// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES wins over what is found. An
// error comes with a resource that lacks something.
func newResource(ctx context.Context, getenv func(string) string) (*resource.Resource, error) {
	attrs := append(serviceOf(debug.ReadBuildInfo()), hostArch(runtime.GOARCH))
	attrs = append(attrs, kubernetes(getenv, os.ReadFile)...)
	return resource.New(ctx,
		resource.WithSchemaURL(semconv.SchemaURL),
		resource.WithTelemetrySDK(),
		resource.WithHost(),
		resource.WithOSType(),
		// Neither the arguments, which may be secret, nor the owner.
		resource.WithProcessPID(),
		resource.WithProcessExecutableName(),
		resource.WithProcessRuntimeName(),
		resource.WithProcessRuntimeVersion(),
		resource.WithContainerID(),
		resource.WithAttributes(attrs...),
		resource.WithFromEnv(),
	)
}

// serviceOf names the service as `go install` names its command, with the
// version that the Go tool stamped, and this instance by a random UUID.
func serviceOf(build *debug.BuildInfo, ok bool) []attribute.KeyValue {
	attrs := []attribute.KeyValue{semconv.ServiceInstanceID(newUUID())}
	name := ""
	if ok {
		name = commandName(build.Path)
		if v := build.Main.Version; v != "" && v != "(devel)" {
			attrs = append(attrs, semconv.ServiceVersion(v))
		}
	}
	if name == "" {
		name = "unknown_service:go"
	}
	return append(attrs, semconv.ServiceName(name))
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// commandName is the name of the main package's program; a major version is none.
func commandName(pkg string) string {
	dir, name := path.Split(pkg)
	if majorVersion.MatchString(name) && dir != "" {
		name = path.Base(dir)
	}
	return name
}

// newUUID returns a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// hostArch names the architecture as the semantic conventions do.
func hostArch(goarch string) attribute.KeyValue {
	switch goarch {
	case "arm":
		return semconv.HostArchARM32
	case "386":
		return semconv.HostArchX86
	case "ppc64le":
		return semconv.HostArchPPC64
	default: // amd64, arm64, s390x and others are called so there too
		return semconv.HostArchKey.String(goarch)
	}
}

// namespaceFile is where Kubernetes tells a pod with a service account.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// kubernetes describes the pod by what its manifest passes on from the downward
// API: the variables with the names that the documentation of Kubernetes uses, and
// those that the OpenTelemetry operator injects.
func kubernetes(getenv func(string) string, readFile func(string) ([]byte, error)) []attribute.KeyValue {
	if getenv("KUBERNETES_SERVICE_HOST") == "" {
		return nil // the names are too common to be read elsewhere
	}
	env := &environ{get: getenv}
	var attrs []attribute.KeyValue
	add := func(key attribute.Key, names ...string) {
		if value, _ := env.first(names...); value != "" {
			attrs = append(attrs, key.String(value))
		}
	}
	add(semconv.K8SPodNameKey, "OTEL_RESOURCE_ATTRIBUTES_POD_NAME", "POD_NAME", "MY_POD_NAME")
	add(semconv.K8SPodUIDKey, "OTEL_RESOURCE_ATTRIBUTES_POD_UID", "POD_UID", "MY_POD_UID")
	add(semconv.K8SNodeNameKey, "OTEL_RESOURCE_ATTRIBUTES_NODE_NAME", "NODE_NAME", "MY_NODE_NAME")
	add(semconv.K8SContainerNameKey, "CONTAINER_NAME")
	if namespace, _ := env.first("POD_NAMESPACE", "MY_POD_NAMESPACE"); namespace != "" {
		attrs = append(attrs, semconv.K8SNamespaceName(namespace))
	} else if text, err := readFile(namespaceFile); err == nil {
		attrs = append(attrs, semconv.K8SNamespaceName(strings.TrimSpace(string(text))))
	}
	return attrs
}
