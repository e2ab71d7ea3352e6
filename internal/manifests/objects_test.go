package manifests_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

// Every object of every overlay is one that the API server would decode, and
// lies in the namespace.
func TestObjectsAreValid(t *testing.T) {
	resources, dir := readResources(t), kubernetes(t)
	withPolicy := filepath.Join(dir, "overlays", "with-policy")
	assert.NoError(t, os.Mkdir(withPolicy, 0o755))
	assert.NoError(t, os.WriteFile(filepath.Join(withPolicy, "kustomization.yaml"), []byte(`
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: greeter
resources: [../plain]
components: [../../components/network-policy]
`), 0o600))
	want := map[string]string{
		"../base":      "Namespace ServiceAccount Service Service Deployment PodDisruptionBudget",
		"plain":        "Namespace ServiceAccount Secret Service Service Deployment PodDisruptionBudget",
		"with-policy":  "Namespace ServiceAccount Secret Service Service Deployment PodDisruptionBudget NetworkPolicy",
		"cert-manager": "Namespace ServiceAccount Service Service Deployment PodDisruptionBudget Certificate Certificate Certificate Issuer Issuer",
		"istio":        "Namespace ServiceAccount Service Service Deployment PodDisruptionBudget Sidecar PeerAuthentication",
		"linkerd":      "Namespace ServiceAccount Service Service Deployment PodDisruptionBudget",
	}
	for overlay, kinds := range want {
		t.Run(overlay, func(t *testing.T) {
			missing := strings.Fields(kinds)
			for _, o := range render(t, filepath.Join(dir, "overlays", overlay)) {
				if err := resources.validate(o.yaml); err != nil {
					t.Errorf("%s %s: %v\n%s", o.kind, o.name, err, o.yaml)
				}
				if o.kind != "Namespace" {
					assert.Equal(t, o.namespace, "greeter", o.kind+" "+o.name)
				}
				i := slices.Index(missing, o.kind)
				if i < 0 {
					t.Errorf("unexpected %s %s", o.kind, o.name)
					continue
				}
				missing = slices.Delete(missing, i, i+1)
			}
			assert.Equal(t, strings.Join(missing, " "), "", "not rendered")
		})
	}
}

// The validation that the test above relies on finds what it should.
func TestInvalidObjectsAreRefused(t *testing.T) {
	resources, dir := readResources(t), kubernetes(t)
	certs := render(t, filepath.Join(dir, "overlays/cert-manager"))
	istio := render(t, filepath.Join(dir, "overlays/istio"))
	for _, tc := range []struct {
		name, kind, object string
		objects            []object
		old, replacement   string
	}{
		{"an unknown field", "Deployment", "greeter", certs, "enableServiceLinks:", "enableServiceLink:"},
		{"a wrong type", "Deployment", "greeter", certs, "replicas: 3", "replicas: three"},
		{"a probe without its port", "Deployment", "greeter", certs, "            port: 8086\n", ""},
		{"a template that the selector misses", "Deployment", "greeter", certs, "app.kubernetes.io/name: greeter\n  strategy", "app.kubernetes.io/name: greeters\n  strategy"},
		{"a mount without a volume", "Deployment", "greeter", certs, "name: tls\n", "name: tle\n"},
		{"a number that is none", "PodDisruptionBudget", "greeter", certs, "maxUnavailable: 1", "maxUnavailable: most"},
		{"a port name that is too long", "Service", "greeter", certs, "targetPort: grpc", "targetPort: a-name-of-more-than-fifteen"},
		{"an unknown key algorithm", "Certificate", "greeter-tls", certs, "algorithm: ECDSA", "algorithm: ECDH"},
		{"an unknown usage", "Certificate", "greeter-tls", certs, "- server auth", "- serverauth"},
		{"a Certificate without its Secret", "Certificate", "greeter-tls", certs, "  secretName: greeter-tls\n", ""},
		{"an unknown mTLS mode", "PeerAuthentication", "greeter", istio, "mode: STRICT", "mode: STRICTER"},
		{"an unknown field of a Sidecar", "Sidecar", "greeter", istio, "defaultEndpoint:", "endpoint:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, o := range tc.objects {
				if o.kind != tc.kind || o.name != tc.object {
					continue
				}
				broken := strings.Replace(string(o.yaml), tc.old, tc.replacement, 1)
				assert.True(t, broken != string(o.yaml), "the replacement changes nothing:\n"+broken)
				if resources.validate([]byte(broken)) == nil {
					t.Errorf("accepted:\n%s", broken)
				}
				return
			}
			t.Fatalf("no %s %s", tc.kind, tc.object)
		})
	}
}
