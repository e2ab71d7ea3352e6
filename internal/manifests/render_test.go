package manifests_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/grpcx-go/sdk/internal/assert"
)

const deploy = "../../examples/deploy"

// meshes are the overlays in which a sidecar does the TLS.
var (
	overlays = []string{"plain", "cert-manager", "istio", "linkerd"}
	meshes   = map[string]bool{"istio": true, "linkerd": true}
)

// object is a rendered object, and its YAML.
type object struct {
	kind, name, namespace string
	yaml                  []byte
}

// kubernetes copies the manifests to where a test may add to them, with the
// certificates that the overlay plain wants.
func kubernetes(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "kubernetes")
	assert.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(deploy, "kubernetes"))))
	cmd := exec.CommandContext(t.Context(), "go", "run", "./democerts", "-dir", filepath.Join(dir, "overlays/plain/certs"))
	cmd.Dir = deploy
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, string(out))
	return dir
}

func render(t *testing.T, dir string) []object {
	t.Helper()
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	assert.NoError(t, err)
	var objects []object
	for _, r := range rendered.Resources() {
		text, err := r.AsYAML()
		assert.NoError(t, err)
		objects = append(objects, object{r.GetKind(), r.GetName(), r.GetNamespace(), text})
	}
	return objects
}

// find decodes the one object of that kind and name, strictly.
func find[T any](t *testing.T, objects []object, kind, name string) *T {
	t.Helper()
	for _, o := range objects {
		if o.kind == kind && o.name == name {
			into := new(T)
			assert.NoError(t, yaml.UnmarshalStrict(o.yaml, into), kind+" "+name)
			return into
		}
	}
	t.Fatalf("no %s %s", kind, name)
	return nil
}
