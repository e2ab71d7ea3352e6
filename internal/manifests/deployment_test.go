package manifests_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/internal/assert"
)

// What schemas cannot say: the manifests fit the server, and each other.
func TestDeploymentFitsTheServer(t *testing.T) {
	dir, server := kubernetes(t), buildServer(t)
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			objects := render(t, filepath.Join(dir, "overlays", overlay))
			deployment := find[appsv1.Deployment](t, objects, "Deployment", "greeter")
			pod := deployment.Spec.Template.Spec
			assert.Equal(t, len(pod.Containers), 1)
			checkSelectors(t, objects, deployment)
			checkDrain(t, pod)
			checkProbes(t, pod.Containers[0])
			checkSecurity(t, pod)
			checkResources(t, pod.Containers[0])
			checkArguments(t, server, pod.Containers[0])
			checkTransport(t, pod, meshes[overlay])
		})
	}
}

func buildServer(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "server")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./server")
	cmd.Dir = deploy
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, string(out))
	return binary
}

func checkSelectors(t *testing.T, objects []object, deployment *appsv1.Deployment) {
	t.Helper()
	labels := deployment.Spec.Template.Labels
	matches := func(selector map[string]string, who string) {
		assert.True(t, len(selector) > 0, who+" selects everything")
		for key, value := range selector {
			assert.Equal(t, labels[key], value, who)
		}
	}
	matches(deployment.Spec.Selector.MatchLabels, "Deployment")
	for _, c := range deployment.Spec.Template.Spec.TopologySpreadConstraints {
		matches(c.LabelSelector.MatchLabels, c.TopologyKey)
	}
	matches(find[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget", "greeter").Spec.Selector.MatchLabels, "PodDisruptionBudget")
	for _, name := range []string{"greeter", "greeter-headless"} {
		service := find[corev1.Service](t, objects, "Service", name)
		matches(service.Spec.Selector, name)
		assert.Equal(t, service.Spec.ClusterIP == corev1.ClusterIPNone, name == "greeter-headless")
		port := service.Spec.Ports[0]
		assert.Equal(t, port.TargetPort.String(), "grpc")
		assert.Equal(t, port.Port, ports(deployment.Spec.Template.Spec.Containers[0])["grpc"])
	}
}

func ports(c corev1.Container) map[string]int32 {
	out := map[string]int32{}
	for _, p := range c.Ports {
		out[p.Name] = p.ContainerPort
	}
	return out
}

// The kubelet kills after terminationGracePeriodSeconds, of which a preStop
// hook takes its part.
func checkDrain(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	srv, err := grpcx.New(grpcx.WithInsecure())
	assert.NoError(t, err)
	drain := srv.Settings().Drain
	grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second
	assert.True(t, grace > drain.Delay+drain.Timeout+drain.Stop, fmt.Sprintf("%v is not enough for %+v", grace, drain))
	assert.True(t, pod.Containers[0].Lifecycle == nil, "a preStop hook")
	// Readiness must be seen to be off while the server still accepts.
	readiness := pod.Containers[0].ReadinessProbe
	noticed := time.Duration(readiness.PeriodSeconds*readiness.FailureThreshold) * time.Second
	assert.True(t, noticed < drain.Delay, fmt.Sprintf("readiness is noticed after %v, Drain.Delay is %v", noticed, drain.Delay))
}

func checkProbes(t *testing.T, c corev1.Container) {
	t.Helper()
	for name, probe := range map[string]*corev1.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
		if probe == nil || probe.GRPC == nil {
			t.Fatalf("no gRPC probe for %s", name)
		}
		assert.Equal(t, probe.GRPC.Port, ports(c)["probe"], name)
		assert.Equal(t, *probe.GRPC.Service, name)
	}
}

func checkSecurity(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	c := pod.Containers[0].SecurityContext
	assert.True(t, *pod.SecurityContext.RunAsNonRoot)
	assert.Equal(t, *pod.SecurityContext.RunAsUser, 65532)
	assert.Equal(t, pod.SecurityContext.SeccompProfile.Type, corev1.SeccompProfileTypeRuntimeDefault)
	assert.True(t, *c.ReadOnlyRootFilesystem && !*c.AllowPrivilegeEscalation)
	assert.Equal(t, fmt.Sprint(c.Capabilities.Drop, c.Capabilities.Add), "[ALL] []")
	assert.True(t, !*pod.AutomountServiceAccountToken && !*pod.EnableServiceLinks)
	assert.True(t, !pod.HostNetwork && !pod.HostPID && !pod.HostIPC)
}

// The comment in deployment.yaml says what runtimex makes of the limits.
func checkResources(t *testing.T, c corev1.Container) {
	t.Helper()
	assert.Equal(t, c.Resources.Limits.Cpu().String(), "2")
	assert.Equal(t, c.Resources.Limits.Memory().String(), "256Mi")
	assert.Equal(t, c.Resources.Requests.Memory().String(), "256Mi")
	runtime, err := os.ReadFile("../../docs/runtime.md")
	assert.NoError(t, err)
	assert.Contains(t, string(runtime), "| limit | 64 MiB | 128 MiB | 256 MiB |", "| GOMEMLIMIT, MiB | 51.2 | 102.4 | 224 |")
	for _, policy := range c.ResizePolicy {
		assert.Equal(t, policy.RestartPolicy, corev1.NotRequired, string(policy.ResourceName))
	}
	assert.Equal(t, len(c.ResizePolicy), 2)
}

// The server knows its arguments, and docs/defaults.md the variables.
func checkArguments(t *testing.T, server string, c corev1.Container) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), server, append(c.Args, "-h")...).CombinedOutput()
	assert.NoError(t, err, string(out)) // 2 for an unknown flag
	assert.Equal(t, len(c.Command), 0)
	known, err := os.ReadFile("../../docs/defaults.md")
	assert.NoError(t, err)
	for _, env := range c.Env {
		assert.Contains(t, string(known), "| `"+env.Name+"` |")
	}
}

// Without a mesh the server has certificates, mounted as a directory; in a mesh
// it has none and says so.
func checkTransport(t *testing.T, pod corev1.PodSpec, mesh bool) {
	t.Helper()
	c := pod.Containers[0]
	if mesh {
		assert.Equal(t, strings.Join(c.Args, " "), "-insecure")
		assert.Equal(t, len(c.VolumeMounts)+len(pod.Volumes), 0)
		return
	}
	assert.Equal(t, len(c.Args), 0)
	assert.Equal(t, len(c.VolumeMounts), 1)
	assert.Equal(t, c.VolumeMounts[0].MountPath, "/tls")
	assert.Equal(t, c.VolumeMounts[0].SubPath, "", "a subPath never changes")
	assert.Equal(t, pod.Volumes[0].Secret.SecretName, "greeter-tls")
	assert.Equal(t, *pod.Volumes[0].Secret.DefaultMode, 0o440)
}

// The annotations are among those that Istio knows; a misspelt one has no
// effect and no error.
func TestIstioAnnotations(t *testing.T) {
	objects := render(t, filepath.Join(kubernetes(t), "overlays/istio"))
	deployment := find[appsv1.Deployment](t, objects, "Deployment", "greeter")
	names, err := os.ReadFile(filepath.Join(download(t, definitions[1].module, definitions[1].sum), "annotation/annotations.gen.go"))
	assert.NoError(t, err)
	annotations := deployment.Spec.Template.Annotations
	assert.Equal(t, len(annotations), 3)
	for name := range maps.Keys(annotations) {
		assert.Contains(t, string(names), `"`+name+`"`)
	}
}
