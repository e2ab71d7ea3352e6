package sdk_test

import (
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

// TestSignatures: a type of a v0 module in an exported signature would tie
// our compatibility promise to a module that makes none.
func TestSignatures(t *testing.T) {
	t.Parallel()
	all, err := listAll()
	assert.NoError(t, err)
	for path, mentioned := range exportedTypes(t, all, publicPackages(t)) {
		for _, m := range mentioned {
			if module := all[m.pkg].Module; unstable(module) {
				t.Errorf("%s.%s mentions %s.%s of %s %s, which promises no compatibility",
					path, m.where, m.pkg, m.name, module.Path, module.Version)
			}
		}
	}
}

// TestSignaturesSeen shows that the walk reaches types of other modules and
// every kind of place that can mention one.
func TestSignaturesSeen(t *testing.T) {
	t.Parallel()
	inner := types.NewPackage("example.com/v0", "v0")
	named := types.NewNamed(types.NewTypeName(token.NoPos, inner, "T", nil), types.NewStruct(nil, nil), nil)
	pkg := types.NewPackage("example.com/p", "p")
	field := func(name string, t types.Type) *types.Var { return types.NewField(token.NoPos, pkg, name, t, false) }
	fn := func(t types.Type) *types.Signature {
		return types.NewSignatureType(nil, nil, nil, types.NewTuple(field("x", t)), nil, false)
	}
	exported := types.NewNamed(types.NewTypeName(token.NoPos, pkg, "E", nil), types.NewStruct(nil, nil), nil)
	exported.AddMethod(types.NewFunc(token.NoPos, pkg, "M", fn(named)))
	tests := map[string]struct {
		typ  types.Type
		seen bool
	}{
		"itself":           {named, true},
		"pointer":          {types.NewPointer(named), true},
		"slice of map":     {types.NewSlice(types.NewMap(types.Typ[types.String], named)), true},
		"channel of array": {types.NewChan(types.SendRecv, types.NewArray(named, 2)), true},
		"function":         {fn(named), true},
		"field":            {types.NewStruct([]*types.Var{field("F", named)}, nil), true},
		"unexported field": {types.NewStruct([]*types.Var{field("f", named)}, nil), false},
		"interface":        {types.NewInterfaceType([]*types.Func{types.NewFunc(token.NoPos, pkg, "M", fn(named))}, nil).Complete(), true},
		"constraint":       {types.NewTypeParam(types.NewTypeName(token.NoPos, pkg, "P", nil), types.NewInterfaceType(nil, []types.Type{named}).Complete()), true},
		"other":            {types.NewMap(types.Typ[types.Int], types.Typ[types.Bool]), false},
	}
	for name, tt := range tests {
		w := walker{pkg: pkg, seen: map[types.Type]bool{}}
		w.walk("X", tt.typ)
		assert.Equal(t, len(w.found) == 1, tt.seen, name)
	}
	w := walker{pkg: pkg, seen: map[types.Type]bool{}}
	w.object(exported.Obj())
	assert.Equal(t, w.found, []mention{{where: "E.M", pkg: "example.com/v0", name: "T"}})

	assert.True(t, unstable(&goModule{Path: "example.com/v0", Version: "v0.3.0"}))
	assert.True(t, !unstable(&goModule{Path: "example.com/v1", Version: "v1.0.0"}))
	assert.True(t, !unstable(&goModule{Path: root}))
	assert.True(t, !unstable(nil))
}

// unstable says whether a module is v0. The standard library has none, and
// the root module has no version.
func unstable(m *goModule) bool { return m != nil && strings.HasPrefix(m.Version, "v0.") }

// mention is one appearance of a named type in the signature at where.
type mention struct{ where, pkg, name string }

// exportedTypes returns the named types of other packages that the exported
// signatures of the given ones mention.
func exportedTypes(t *testing.T, all map[string]*goPackage, pkgs []*goPackage) map[string][]mention {
	t.Helper()
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		p := all[path]
		if p == nil || p.Export == "" {
			return nil, fmt.Errorf("go list gave no export data for %s", path)
		}
		return os.Open(p.Export)
	})
	mentions := map[string][]mention{}
	for _, p := range pkgs {
		pkg, err := imp.Import(p.ImportPath)
		assert.NoError(t, err)
		w := walker{pkg: pkg, seen: map[types.Type]bool{}}
		for _, name := range pkg.Scope().Names() {
			if obj := pkg.Scope().Lookup(name); obj.Exported() {
				w.object(obj)
			}
		}
		mentions[p.ImportPath] = w.found
	}
	return mentions
}

// walker collects the types of other packages reachable from one package's
// exported API. It does not look into those types: they answer for theirs.
type walker struct {
	pkg   *types.Package
	seen  map[types.Type]bool
	found []mention
}

func (w *walker) object(obj types.Object) {
	w.walk(obj.Name(), obj.Type())
	if name, ok := obj.(*types.TypeName); ok && name.IsAlias() {
		w.walk(obj.Name(), types.Unalias(obj.Type()))
	}
}

func (w *walker) walk(where string, t types.Type) {
	if w.seen[t] {
		return
	}
	w.seen[t] = true
	switch t := t.(type) {
	case *types.Alias:
		w.name(where, t.Obj())
		w.walk(where, types.Unalias(t))
	case *types.Named:
		w.named(where, t)
	case *types.TypeParam:
		w.walk(where, t.Constraint())
	case *types.Pointer:
		w.walk(where, t.Elem())
	case *types.Slice:
		w.walk(where, t.Elem())
	case *types.Array:
		w.walk(where, t.Elem())
	case *types.Chan:
		w.walk(where, t.Elem())
	case *types.Map:
		w.walk(where, t.Key())
		w.walk(where, t.Elem())
	case *types.Tuple:
		for v := range t.Variables() {
			w.walk(where, v.Type())
		}
	case *types.Signature:
		for p := range t.TypeParams().TypeParams() {
			w.walk(where, p)
		}
		w.walk(where, t.Params())
		w.walk(where, t.Results())
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() {
				w.walk(where+"."+f.Name(), f.Type())
			}
		}
	case *types.Interface:
		for m := range t.ExplicitMethods() {
			if m.Exported() {
				w.walk(where+"."+m.Name(), m.Type())
			}
		}
		for e := range t.EmbeddedTypes() {
			w.walk(where, e)
		}
	case *types.Union:
		for term := range t.Terms() {
			w.walk(where, term.Type())
		}
	}
}

// named records a type of another package, or looks into one of this package.
func (w *walker) named(where string, t *types.Named) {
	for arg := range t.TypeArgs().Types() {
		w.walk(where, arg)
	}
	if t.Obj().Pkg() != w.pkg {
		w.name(where, t.Obj())
		return
	}
	w.walk(where, t.Underlying())
	for m := range t.Methods() {
		if m.Exported() {
			w.walk(where+"."+m.Name(), m.Type())
		}
	}
}

func (w *walker) name(where string, obj *types.TypeName) {
	if obj.Pkg() != nil && obj.Pkg() != w.pkg { // error and any have none
		w.found = append(w.found, mention{where: where, pkg: obj.Pkg().Path(), name: obj.Name()})
	}
}
