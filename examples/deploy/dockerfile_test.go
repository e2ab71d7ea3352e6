package deploy_test

import (
	"bytes"
	"go/version"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

const root = "../.."

// stage is a stage of a Dockerfile: its base and what follows, each
// instruction with its arguments.
type stage struct {
	base         string
	instructions [][2]string
}

// only returns the arguments of the instruction that the stage has once.
func (s stage) only(t *testing.T, name string) string {
	t.Helper()
	var found []string
	for _, i := range s.instructions {
		if i[0] == name {
			found = append(found, i[1])
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s: found %q, want one", name, found)
	}
	return found[0]
}

// readDockerfile reads as much of the syntax as our file uses.
func readDockerfile(t *testing.T) (global [][2]string, stages []stage) {
	t.Helper()
	var line strings.Builder
	for text := range strings.Lines(read(t, "Dockerfile")) {
		text = strings.TrimSpace(text)
		if strings.HasPrefix(text, "#") {
			continue
		}
		if more, ok := strings.CutSuffix(text, `\`); ok {
			line.WriteString(more)
			continue
		}
		line.WriteString(text)
		name, args, _ := strings.Cut(line.String(), " ")
		line.Reset()
		switch {
		case name == "":
		case name == "FROM":
			stages = append(stages, stage{base: args})
		case len(stages) == 0:
			global = append(global, [2]string{name, args})
		default:
			last := &stages[len(stages)-1]
			last.instructions = append(last.instructions, [2]string{name, args})
		}
	}
	return global, stages
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	assert.NoError(t, err)
	return string(data)
}

// build does what the build stage says, without Docker: it copies the context
// into a new directory, runs each RUN in it with the variables of ARG and ENV,
// and returns the binary. The caches are those of this machine, or cache, and
// /out is a directory of its own.
func build(t *testing.T, s stage, arch, cache string) []byte {
	t.Helper()
	src, out := filepath.Join(t.TempDir(), "src"), t.TempDir()
	copyContext(t, src)
	env := map[string]string{"PATH": os.Getenv("PATH"), "HOME": os.Getenv("HOME")}
	values := map[string]string{"TARGETOS": "linux", "TARGETARCH": arch}
	for _, i := range s.instructions {
		switch name, args := i[0], i[1]; name {
		case "ARG":
			value, known := values[args]
			assert.True(t, known, "ARG "+args+" has no value")
			env[args] = value
		case "ENV":
			for pair := range strings.FieldsSeq(args) {
				key, value, _ := strings.Cut(pair, "=")
				env[key] = value
			}
		case "WORKDIR", "COPY":
			assert.Equal(t, args, map[string]string{"WORKDIR": "/src", "COPY": ". ."}[name])
		case "RUN":
			run(t, src, strings.ReplaceAll(args, "/out/", out+"/"), env, cache)
		default:
			t.Fatalf("%s is not known to this test", name)
		}
	}
	binary, err := os.ReadFile(filepath.Join(out, "server"))
	assert.NoError(t, err)
	return binary
}

func run(t *testing.T, dir, command string, vars map[string]string, cache string) {
	t.Helper()
	for strings.HasPrefix(command, "--mount=type=cache,") {
		_, command, _ = strings.Cut(command, " ")
		command = strings.TrimSpace(command)
	}
	vars = maps.Clone(vars)
	for _, key := range []string{"GOMODCACHE", "GOCACHE", "GOPROXY", "GOSUMDB"} {
		vars[key] = goEnv(t, key)
	}
	if cache != "" {
		vars["GOCACHE"] = cache
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	cmd.Dir = dir
	for key, value := range vars {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

func goEnv(t *testing.T, key string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", key).Output()
	assert.NoError(t, err)
	return string(bytes.TrimSpace(out))
}

// copyContext copies the build context, which is the repository without what
// Dockerfile.dockerignore names.
func copyContext(t *testing.T, dst string) {
	t.Helper()
	var ignore []string
	for line := range strings.Lines(read(t, "Dockerfile.dockerignore")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			ignore = append(ignore, line)
		}
	}
	files := os.DirFS(root)
	assert.NoError(t, fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ignored(name, ignore) && d.IsDir():
			return fs.SkipDir
		case ignored(name, ignore):
			return nil
		case d.IsDir():
			return os.MkdirAll(filepath.Join(dst, name), 0o755)
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dst, name), data, 0o644)
	}))
}

func ignored(name string, patterns []string) bool {
	for _, pattern := range patterns {
		target := name
		if rest, anywhere := strings.CutPrefix(pattern, "**/"); anywhere {
			pattern, target = rest, path.Base(name)
		}
		if ok, err := path.Match(pattern, target); ok && err == nil {
			return true
		}
	}
	return false
}

// The image is the binary and nothing else, run by nobody in particular.
func TestDockerfile(t *testing.T) {
	global, stages := readDockerfile(t)
	assert.Equal(t, len(stages), 2)
	builder, image := stages[0], stages[1]

	assert.Equal(t, builder.base, "--platform=$BUILDPLATFORM golang:${GO_VERSION} AS build")
	assert.Equal(t, len(global), 1)
	toolchain, ok := strings.CutPrefix(global[0][1], "GO_VERSION=")
	assert.True(t, ok && version.IsValid("go"+toolchain), global[0][1])
	required := regexp.MustCompile(`(?m)^go (.*)$`).FindStringSubmatch(read(t, "../go.mod"))[1]
	assert.True(t, version.Compare("go"+toolchain, "go"+required) >= 0, "older than go.mod: "+toolchain)
	assert.Contains(t, builder.only(t, "ENV"), "CGO_ENABLED=0")
	assert.Contains(t, builder.only(t, "RUN"), "-trimpath", "-buildvcs=false", "-buildid=", "-o /out/server ")

	assert.Equal(t, image.base, "scratch")
	assert.Equal(t, image.only(t, "COPY"), "--from=build /out/server /server")
	assert.Equal(t, image.only(t, "USER"), "65532:65532")
	assert.Equal(t, image.only(t, "EXPOSE"), "50051 8086")
	assert.Equal(t, image.only(t, "STOPSIGNAL"), "SIGTERM")
	assert.Equal(t, image.only(t, "ENTRYPOINT"), `["/server"]`)
	assert.Equal(t, len(image.instructions), 5)
}

// A copy must stay easy to take in.
func TestProgramsAreShort(t *testing.T) {
	for _, file := range []string{"server/main.go", "democerts/main.go"} {
		if lines := strings.Count(read(t, file), "\n"); lines > 60 {
			t.Errorf("%s has %d lines, more than 60", file, lines)
		}
	}
}
