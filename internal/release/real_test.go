package release_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/release"
)

const sdk = "github.com/grpcx-go/sdk"

// snapshot commits the files of this repository, whatever their state, into a
// new one, with a changelog that is ready for v0.1.0, and plans that release.
func snapshot(t *testing.T) *release.Plan {
	t.Helper()
	names := workingTree(t)
	repo := &release.Repo{Dir: t.TempDir()}
	for _, name := range names {
		src := filepath.Join("../..", filepath.FromSlash(name))
		info, err := os.Stat(src)
		assert.NoError(t, err)
		data, err := os.ReadFile(src)
		assert.NoError(t, err)
		dst := filepath.Join(repo.Dir, filepath.FromSlash(name))
		assert.NoError(t, os.MkdirAll(filepath.Dir(dst), 0o755))
		assert.NoError(t, os.WriteFile(dst, data, info.Mode().Perm()))
	}
	git(t, repo, "init", "--quiet", "--initial-branch=main")
	log := release.ParseChangelog([]byte("# Changelog\n\n## [Unreleased]\n\n- A test.\n"))
	assert.NoError(t, log.Cut("https://"+sdk, "", "v0.1.0", today))
	commit(t, repo, map[string]string{release.ChangelogFile: string(log.Bytes())})
	plan, err := repo.Prepare(t.Context(), "v0.1.0", today)
	assert.NoError(t, err)
	return plan
}

// TestWorkingTree: this repository can be released, as far as that shows
// without building it.
func TestWorkingTree(t *testing.T) {
	t.Parallel()
	plan := snapshot(t)
	proxy := t.TempDir()
	assert.NoError(t, release.WriteProxy(t.Context(), proxy, plan.Archives...))
	for i, a := range plan.Archives {
		nested := moduleDirs(t, plan.Modules[i].Dir)
		names := files(t, proxy, a.Path, a.Version.Version)
		assert.True(t, slices.Contains(names, "LICENSE"), a.Path, "has no LICENSE")
		for _, name := range names {
			assert.True(t, !strings.HasPrefix(name, ".tmp/"), a.Path, "holds", name)
			if i := slices.IndexFunc(nested, func(dir string) bool { return strings.HasPrefix(path.Join(plan.Modules[i].Dir, name), dir+"/") }); i >= 0 {
				t.Errorf("%s holds %s, which is of %s", a.Path, name, nested[i])
			}
		}
		info, err := os.Stat(filepath.Join(proxy, filepath.FromSlash(a.Path), "@v", "v0.1.0.zip"))
		assert.NoError(t, err)
		assert.True(t, info.Size() < 4<<20, a.Path, "is large; does it hold files that belong in no release?")
		mod, err := os.ReadFile(filepath.Join(proxy, filepath.FromSlash(a.Path), "@v", "v0.1.0.mod"))
		assert.NoError(t, err)
		assert.NotContains(t, string(mod), "\nreplace", "v0.0.0\n")
	}
}

// moduleDirs returns the directories of all modules but one and those that it
// lies in.
func moduleDirs(t *testing.T, but string) []string {
	t.Helper()
	var dirs []string
	for _, name := range workingTree(t) {
		dir := path.Dir(name)
		if path.Base(name) == "go.mod" && dir != "." && dir != but {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// optional are the modules that wire exporters, and how.
var optional = []struct{ name, option string }{
	{"otlpx", "otlpx.New()"},
	{"promx", "promx.New()"},
}

func needEnv(t *testing.T) {
	t.Helper()
	if os.Getenv("GRPCX_RELEASE") == "" {
		t.Skip("builds everything anew; set GRPCX_RELEASE=1, as make test-release does")
	}
}

// TestConsumers releases this repository into a proxy and uses it from outside.
func TestConsumers(t *testing.T) {
	needEnv(t)
	t.Setenv("GOPROXY", upstream)
	ctx := t.Context()
	plan := snapshot(t)
	_, err := plan.Verify(ctx)
	assert.NoError(t, err)
	box := sandbox(t, plan, sdk)
	released := func(name string) bool {
		return slices.ContainsFunc(plan.Modules, func(m *release.Module) bool { return m.Dir == name })
	}

	t.Run("tidy", func(t *testing.T) {
		for _, a := range plan.Archives {
			dir, err := a.Unpack(box.Dir)
			assert.NoError(t, err)
			_, err = box.Go(ctx, dir, "mod", "tidy", "-diff")
			assert.NoError(t, err, a.Path)
			_, err = box.Go(ctx, dir, "mod", "verify")
			assert.NoError(t, err, a.Path)
		}
	})

	// The tags hold what the proxy serves, as the go command makes it of them.
	t.Run("tags", func(t *testing.T) {
		_, err := plan.Make(ctx, false)
		assert.NoError(t, err)
		fromTags(t, box, plan, sdk)
	})

	t.Run("go install", func(t *testing.T) {
		_, err := box.Go(ctx, box.Dir, "install", sdk+"/cmd/grpcx@v0.1.0")
		assert.NoError(t, err)
		out, err := exec.Command(filepath.Join(box.Dir, "gopath", "bin", "grpcx"), "version", "-o", "json").Output()
		assert.NoError(t, err)
		var got struct{ Version, SDK string }
		assert.NoError(t, json.Unmarshal(out, &got))
		assert.Equal(t, got.Version, "v0.1.0")
		assert.Equal(t, got.SDK, "v0.1.0")
	})

	t.Run("grpcx", func(t *testing.T) {
		dir := consume(t, box, "")
		out, err := box.Go(ctx, dir, "list", "-m", "all")
		assert.NoError(t, err)
		for _, m := range plan.Modules {
			if m.Dir != "." {
				assert.NotContains(t, out, m.Path)
			}
		}
		deps, err := box.Go(ctx, dir, "list", "-deps", ".")
		assert.NoError(t, err)
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		assert.NoError(t, err)
		assert.NotContains(t, string(mod)+deps, "go.opentelemetry.io/otel/sdk", "go.opentelemetry.io/otel/exporters", "prometheus")
	})

	for _, m := range optional {
		t.Run(m.name, func(t *testing.T) {
			if !released(m.name) {
				t.Skip("not released")
			}
			dir := consume(t, box, m.name)
			mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
			assert.NoError(t, err)
			assert.Contains(t, string(mod), sdk+"/"+m.name+" v0.1.0", sdk+" v0.1.0")
		})
	}
}

// program serves on loopback, asks the server for its health, and stops it.
const program = `package main

import (
	"context"
	"fmt"
	"log"

	"github.com/grpcx-go/sdk/grpcx"
	IMPORT
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func main() {
	srv, err := grpcx.New(grpcx.WithInsecure(), grpcx.WithAddr("127.0.0.1:0"), grpcx.WithAdminAddr("127.0.0.1:0"), OPTION)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx) }()
	select {
	case <-srv.Ready():
	case err := <-done:
		log.Fatal(err)
	}
	conn, err := grpc.NewClient(srv.Addrs()[0].String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	health, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(health.GetStatus())
	conn.Close()
	cancel()
	if err := srv.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	if err := <-done; err != nil {
		log.Fatal(err)
	}
}
`

// consume builds and runs a program with a module of its own that uses grpcx,
// and the module of that name, and returns its directory.
func consume(t *testing.T, box *release.Sandbox, name string) string {
	t.Helper()
	app := &release.Repo{Dir: filepath.Join(box.Dir, "app-"+name)}
	imports, option := "", `grpcx.Options()`
	get := []string{"get", sdk + "/grpcx@v0.1.0"}
	if name != "" {
		imports = `"` + sdk + "/" + name + `"`
		option = optional[slices.IndexFunc(optional, func(m struct{ name, option string }) bool { return m.name == name })].option
		get = append(get, sdk+"/"+name+"@v0.1.0")
	}
	write(t, app, "main.go", strings.NewReplacer("IMPORT", imports, "OPTION", option).Replace(program))
	for _, args := range [][]string{{"mod", "init", "example.com/app"}, get, {"mod", "tidy"}, {"build", "-o", "app", "."}} {
		_, err := box.Go(t.Context(), app.Dir, args...)
		assert.NoError(t, err)
	}
	cmd := exec.Command(filepath.Join(app.Dir, "app"))
	// No collector is needed to serve.
	cmd.Env = append(os.Environ(), "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout.String(), stderr.String())
	}
	assert.Equal(t, stdout.String(), "SERVING\n", stderr.String())
	return app.Dir
}
