package manifests_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_web/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"sigs.k8s.io/yaml"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// loadEnvoy reads a configuration as Envoy does: unknown fields and types are
// errors, and the rules that the types declare hold, those of the filters in an
// Any included. A deprecated field is an error too.
func loadEnvoy(text []byte, into proto.Message) error {
	json, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return err
	}
	if err := protojson.Unmarshal(json, into); err != nil {
		return err
	}
	return protorange.Range(into.ProtoReflect(), func(p protopath.Values) error {
		last := p.Index(-1)
		if last.Step.Kind() == protopath.FieldAccessStep {
			field := last.Step.FieldDescriptor()
			if options, ok := field.Options().(*descriptorpb.FieldOptions); ok && options.GetDeprecated() {
				return fmt.Errorf("%s is deprecated", field.FullName())
			}
		}
		if message, ok := last.Value.Interface().(protoreflect.Message); ok {
			if rules, ok := message.Interface().(interface{ ValidateAll() error }); ok {
				if err := rules.ValidateAll(); err != nil {
					return fmt.Errorf("%v: %w", p.Path, err)
				}
			}
		}
		return nil
	})
}

func readEnvoy(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy, "envoy", name))
	assert.NoError(t, err)
	return text
}

func TestEnvoy(t *testing.T) {
	bootstrap := &bootstrapv3.Bootstrap{}
	assert.NoError(t, loadEnvoy(readEnvoy(t, "envoy.yaml"), bootstrap))
	srv, err := grpcx.New(grpcx.WithInsecure())
	assert.NoError(t, err)
	settings := srv.Settings()

	cluster := bootstrap.GetStaticResources().GetClusters()[0]
	var interval time.Duration
	for _, check := range cluster.GetHealthChecks() {
		interval += check.GetInterval().AsDuration() * time.Duration(check.GetUnhealthyThreshold().GetValue())
		interval += check.GetTimeout().AsDuration()
	}
	assert.True(t, interval > 0 && interval < settings.Drain.Delay, fmt.Sprintf("a drain is noticed after %v", interval))

	http := &httpv3.HttpProtocolOptions{}
	assert.NoError(t, cluster.GetTypedExtensionProtocolOptions()["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"].UnmarshalTo(http))
	ping := http.GetExplicitHttpConfig().GetHttp2ProtocolOptions().GetConnectionKeepalive().GetInterval().AsDuration()
	assert.True(t, ping >= settings.Keepalive.MinTime, fmt.Sprintf("the server takes pings every %v for abuse", ping))

	// The secrets that the cluster asks for are in the files that it names.
	tls := &tlsv3.UpstreamTlsContext{}
	assert.NoError(t, cluster.GetTransportSocket().GetTypedConfig().UnmarshalTo(tls))
	common := tls.GetCommonTlsContext()
	for _, config := range append(common.GetTlsCertificateSdsSecretConfigs(), common.GetCombinedValidationContext().GetValidationContextSdsSecretConfig()) {
		file := config.GetSdsConfig().GetPathConfigSource().GetPath()
		name, mounted := strings.CutPrefix(file, "/etc/envoy/")
		assert.True(t, mounted, file)
		response := &discoveryv3.DiscoveryResponse{}
		assert.NoError(t, loadEnvoy(readEnvoy(t, name), response))
		assert.Equal(t, len(response.GetResources()), 1)
		secret := &tlsv3.Secret{}
		assert.NoError(t, response.GetResources()[0].UnmarshalTo(secret))
		assert.Equal(t, secret.GetName(), config.GetName())
	}
	assert.Equal(t, len(common.GetTlsCertificateSdsSecretConfigs()), 1)
}

// The check that the test above relies on finds what it should, also within
// the filters.
func TestInvalidEnvoyIsRefused(t *testing.T) {
	valid := string(readEnvoy(t, "envoy.yaml"))
	for _, tc := range []struct{ name, old, replacement, want string }{
		{"an unknown field", "stream_idle_timeout:", "stream_idle_time:", "stream_idle_time"},
		{"an unknown filter", "grpc_web.v3.GrpcWeb", "grpc_web.v3.GrpcWebs", "GrpcWebs"},
		{"a rule of a filter", "stat_prefix: grpc_web", `stat_prefix: ""`, "StatPrefix"},
		{"a rule of the cluster", "timeout: 1s", "timeout: 0s", "Timeout"},
		{"a deprecated field", "match_typed_subject_alt_names:\n                  - san_type: DNS\n                    matcher: {exact: greeter}",
			"match_subject_alt_names:\n                  - exact: greeter", "deprecated"},
		{"a repeated field", "lb_policy: LEAST_REQUEST", "lb_policy: LEAST_REQUEST\n      lb_policy: RANDOM", "lb_policy"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			broken := strings.Replace(valid, tc.old, tc.replacement, 1)
			assert.True(t, broken != valid, "the replacement changes nothing")
			assert.ErrorContains(t, loadEnvoy([]byte(broken), &bootstrapv3.Bootstrap{}), tc.want)
		})
	}
}
