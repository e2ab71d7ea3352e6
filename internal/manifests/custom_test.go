package manifests_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/grpcx-go/sdk/internal/assert"
)

// The modules whose resource definitions the overlays use, with their hashes.
// Nothing is imported from them, so they are no requirement in go.mod.
var definitions = []struct{ module, sum, files string }{
	{"github.com/cert-manager/cert-manager@v1.21.1", "h1:0LttV37Q5c2CBNoHkjuI8sLKTXWZDC2SwQkxrBMKV9w=", "deploy/crds/*.yaml"},
	{"istio.io/api@v1.30.3", "h1:pPSa0uah/t7CEuwacS4rw5qK/oHGvxC0WO8i4RRGwEU=", "kubernetes/*.yaml"},
}

// download returns the directory of a module as released.
func download(t *testing.T, module, sum string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "GOSUMDB=off") // the hash is compared below
	out, err := cmd.Output()
	assert.NoError(t, err, string(out))
	var found struct{ Dir, Sum string }
	assert.NoError(t, json.Unmarshal(out, &found))
	assert.Equal(t, found.Sum, sum, "the hash of "+module)
	return found.Dir
}

// resources are the schemas of the kinds that are not Kubernetes' own.
type resources map[schema.GroupVersionKind]*apiextensions.JSONSchemaProps

func readResources(t *testing.T) resources {
	t.Helper()
	found := resources{}
	for _, d := range definitions {
		files, err := filepath.Glob(filepath.Join(download(t, d.module, d.sum), d.files))
		assert.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			assert.NoError(t, err)
			found.add(t, utilyaml.NewYAMLToJSONDecoder(bytes.NewReader(text)))
		}
	}
	assert.True(t, len(found) > 20, "too few resource definitions")
	return found
}

func (r resources) add(t *testing.T, documents *utilyaml.YAMLToJSONDecoder) {
	t.Helper()
	for {
		var released apiextensionsv1.CustomResourceDefinition
		if err := documents.Decode(&released); err != nil {
			assert.ErrorIs(t, err, io.EOF)
			return
		}
		if released.Kind != "CustomResourceDefinition" {
			continue
		}
		var definition apiextensions.CustomResourceDefinition
		assert.NoError(t, apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(&released, &definition, nil))
		for _, v := range definition.Spec.Versions {
			props, err := apiextensions.GetSchemaForVersion(&definition, v.Name)
			assert.NoError(t, err)
			kind := schema.GroupVersionKind{Group: definition.Spec.Group, Version: v.Name, Kind: definition.Spec.Names.Kind}
			r[kind] = props.OpenAPIV3Schema
		}
	}
}

// validate judges an object as the API server would.
func (r resources) validate(text []byte) error {
	var object map[string]any
	if err := yaml.UnmarshalStrict(text, &object); err != nil {
		return err
	}
	var meta metav1.TypeMeta
	if err := yaml.Unmarshal(text, &meta); err != nil {
		return err
	}
	props, custom := r[meta.GroupVersionKind()]
	if !custom {
		return validateBuiltin(text)
	}
	structural, err := structuralschema.NewStructural(props)
	if err != nil {
		return err
	}
	unknown := pruning.PruneWithOptions(object, structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	if len(unknown) > 0 {
		return fmt.Errorf("unknown fields %q", unknown)
	}
	defaulting.Default(object, structural)
	validator, _, err := validation.NewSchemaValidator(props)
	if err != nil {
		return err
	}
	errs := validation.ValidateCustomResource(nil, object, validator)
	rules, _ := cel.NewValidator(structural, true, celconfig.PerCallLimit).
		Validate(context.Background(), nil, structural, object, nil, celconfig.RuntimeCELCostBudget)
	return append(errs, rules...).ToAggregate()
}
