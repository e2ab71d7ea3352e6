package doctorcmd_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/doctorcmd"
	"github.com/grpcx-go/sdk/internal/assert"
)

// TestExamples runs every example of the help, here.
func TestExamples(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFiles(t, ".")
	examples := 0
	for line := range strings.Lines(doctorcmd.New(cli.System()).Example) {
		args, ok := strings.CutPrefix(strings.TrimSpace(line), "grpcx doctor")
		if !ok {
			continue
		}
		examples++
		got := run(t, doctorcmd.New, strings.Fields(args)...)
		// What is wrong depends on the machine, but nothing is with the files.
		assert.True(t, got.code == cli.OK || got.code == cli.Failed, line, got.stderr)
		assert.Equal(t, got.code == cli.OK, got.stderr == "", line, got.stderr)
		r := parse(t, run(t, doctorcmd.New, append(strings.Fields(args), "-o", "json")...).stdout)
		for _, f := range r.Findings {
			assert.True(t, f.Level == "ok" || !strings.HasPrefix(f.ID, "tls."), line, f.Text)
		}
	}
	assert.Equal(t, examples, 4)
}

func TestUsage(t *testing.T) {
	for _, test := range []struct{ args, says string }{
		{"now", `"now" was given; name files and addresses with flags`},
		{"--fast", "unknown flag: --fast; see \"grpcx doctor --help\""},
		{"--strict=perhaps", `see "grpcx doctor --help"`},
		{"-o yaml", `invalid argument "yaml" for "-o, --output" flag: must be tty or json; see "grpcx doctor --help"`},
		{"--cert=", "--cert is empty; name a file, or leave it out"},
		{"--cert a --key=", "--key is empty"},
		{"--client-ca=", "--client-ca is empty"},
		{"--cert a.pem", "--cert is given without --key"},
		{"--key a.pem", "--key is given without --cert"},
		{"--client-ca a.pem", "add --cert and --key"},
		{"--crl a.pem", "add --cert and --key"},
		{"--client-auth none", "add --cert and --key"},
		{"--cert a --key a --client-auth maybe", `--client-auth "maybe" is unknown; use require`},
		{"--cert a --key a --client-ca a --client-auth none", "leave them out"},
		{"--cert a --key a --crl a", "add --client-ca"},
		{"--cert a --key a --client-ca a --crl=", "--crl is empty"},
		{"--addr 50051", `--addr "50051" is no address: missing port in address; use host:port`},
		{"--addr :http", `has the port "http", which is no number`},
		{"--addr :65536", "from 0 to 65535"},
		{"--addr ::1:80", "too many colons"},
	} {
		t.Run(test.args, func(t *testing.T) {
			got := run(t, healthy().New, strings.Fields(test.args)...)
			assert.Equal(t, got.code, cli.Usage)
			assert.Equal(t, got.stdout, "")
			assert.Contains(t, got.stderr, "grpcx: ", test.says)
			assert.Equal(t, strings.Count(got.stderr, "\n"), 1, got.stderr)
		})
	}
}

type badWriter struct{}

func (badWriter) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

func TestOutputFails(t *testing.T) {
	for _, format := range []string{"tty", "json"} {
		var errs bytes.Buffer
		code := cli.Run(t.Context(), cli.Streams{Out: badWriter{}, Err: &errs}, []string{"doctor", "-o", format}, healthy().New)
		assert.Equal(t, code, cli.Failed)
		assert.Contains(t, errs.String(), "the disk is full", "check where the output goes")
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var errs bytes.Buffer
	code := cli.Run(ctx, cli.Streams{Out: io.Discard, Err: &errs}, []string{"doctor"}, healthy().New)
	assert.Equal(t, code, cli.Failed)
	assert.Contains(t, errs.String(), "interrupted; run it again")
}
