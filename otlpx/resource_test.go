package otlpx_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"github.com/grpcx-go/sdk/grpcx/grpcxtest"
	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/otlpx"
)

func TestKubernetes(t *testing.T) {
	t.Parallel()
	read := func(path string) ([]byte, error) {
		if path == "/var/run/secrets/kubernetes.io/serviceaccount/namespace" {
			return []byte("shop\n"), nil
		}
		return nil, os.ErrNotExist
	}
	missing := func(string) ([]byte, error) { return nil, os.ErrNotExist }
	cluster := "KUBERNETES_SERVICE_HOST=10.0.0.1"
	found := func(attrs []attribute.KeyValue) map[string]string {
		all := map[string]string{}
		for _, kv := range attrs {
			all[string(kv.Key)] = kv.Value.AsString()
		}
		return all
	}
	assert.Equal(t, found(otlpx.Kubernetes(environment("POD_NAME=a"), read)), map[string]string{})
	assert.Equal(t, found(otlpx.Kubernetes(environment(cluster), missing)), map[string]string{})
	assert.Equal(t, found(otlpx.Kubernetes(environment(cluster), read)), map[string]string{"k8s.namespace.name": "shop"})
	assert.Equal(t, found(otlpx.Kubernetes(environment(cluster, "POD_NAME=cart-1", "OTEL_RESOURCE_ATTRIBUTES_POD_NAME=cart-0",
		"MY_POD_UID=u", "NODE_NAME=n", "CONTAINER_NAME=c", "POD_NAMESPACE=p"), read)), map[string]string{
		"k8s.pod.name": "cart-0", "k8s.pod.uid": "u", "k8s.node.name": "n", "k8s.container.name": "c", "k8s.namespace.name": "p",
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	for pkg, want := range map[string]string{
		"example.com/shop/cmd/cart": "cart", "example.com/cart/v2": "cart", "cart": "cart", "v2": "v2", "": "",
		"example.com/cart.test": "cart.test",
	} {
		assert.Equal(t, otlpx.CommandName(pkg), want, pkg)
	}
	for arch, want := range map[string]string{"amd64": "amd64", "arm64": "arm64", "arm": "arm32", "386": "x86", "s390x": "s390x", "ppc64le": "ppc64"} {
		assert.Equal(t, otlpx.HostArch(arch).Value.AsString(), want)
	}
}

// What the operator says wins over what is found, and nothing secret is told.
func TestResource(t *testing.T) {
	c := &collector{}
	addr, _ := c.listen(t, "grpc", nil, "127.0.0.1:0")
	exportTo(t, "grpc", "http://"+addr)
	srv := grpcxtest.New(t, otlpx.New(), withService(nil))
	assert.NoError(t, srv.Stop())
	assert.Equal(t, c.about["service.name"], "otlpx.test")
	assert.Equal(t, c.about["process.executable.name"], filepath.Base(os.Args[0]))
	for _, key := range []string{"process.command_args", "process.command_line", "process.owner"} {
		_, ok := c.about[key]
		assert.True(t, !ok, key)
	}
	first := c.about["service.instance.id"]

	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop,host.name=h,service.version=1.2.3,team=a%20b")
	srv = grpcxtest.New(t, otlpx.New(), withService(nil))
	assert.NoError(t, srv.Stop())
	assert.Equal(t, c.about["service.name"]+c.about["host.name"]+c.about["service.version"]+c.about["team"], "shoph1.2.3a b")
	assert.True(t, c.about["service.instance.id"] != first && len(first) == 36)
}
