package manifests_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"

	"github.com/grpcx-go/sdk/internal/assert"
)

// Compose loads the file, its schema included, and what it names exists.
func TestCompose(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{filepath.Join(deploy, "compose.yaml")},
		cli.WithProfiles([]string{"web"}), cli.WithEnv([]string{"RUN_AS=1000:1000"}))
	assert.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	assert.NoError(t, err)
	assert.Equal(t, strings.Join(project.ServiceNames(), " "), "envoy greeter")

	greeter := project.Services["greeter"]
	repository, err := filepath.Abs("../..")
	assert.NoError(t, err)
	assert.Equal(t, greeter.Build.Context, repository)
	assert.Equal(t, greeter.Build.Dockerfile, "examples/deploy/Dockerfile")
	assert.Equal(t, strings.Join(greeter.HealthCheck.Test, " "), "CMD /server -check")
	assert.True(t, time.Duration(*greeter.StopGracePeriod) >= 30*time.Second)
	for name, service := range project.Services {
		assert.Equal(t, service.User, "1000:1000", name)
		assert.True(t, service.ReadOnly, name)
		assert.Equal(t, strings.Join(service.CapDrop, " "), "ALL", name)
		for _, port := range service.Ports {
			assert.Equal(t, port.HostIP, "127.0.0.1", name)
		}
		for _, volume := range service.Volumes {
			assert.True(t, volume.ReadOnly, name+": "+volume.Target)
		}
	}
}

func TestInvalidComposeIsRefused(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{"testdata/compose-invalid.yaml"})
	assert.NoError(t, err)
	_, err = options.LoadProject(t.Context())
	assert.ErrorContains(t, err, "stop_grace")
}

// Those of the exporters' examples load, show nothing beyond this machine, and
// mount what exists.
func TestComposeOfExamples(t *testing.T) {
	for name, want := range map[string]string{"otlp": "collector jaeger", "prometheus": "grafana prometheus"} {
		options, err := cli.NewProjectOptions([]string{filepath.Join("../../examples", name, "compose.yaml")})
		assert.NoError(t, err)
		project, err := options.LoadProject(t.Context())
		assert.NoError(t, err)
		assert.Equal(t, strings.Join(project.ServiceNames(), " "), want)
		for _, service := range project.Services {
			assert.Equal(t, strings.Join(service.CapDrop, " "), "ALL", service.Name)
			for _, port := range service.Ports {
				assert.Equal(t, port.HostIP, "127.0.0.1", service.Name)
			}
			for _, volume := range service.Volumes {
				assert.True(t, volume.ReadOnly, service.Name, volume.Target)
				_, err := os.Stat(volume.Source)
				assert.NoError(t, err)
			}
		}
	}
}
