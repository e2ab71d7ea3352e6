package certscmd_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/certscmd"
	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
	"github.com/grpcx-go/sdk/internal/assert"
)

// A result is what a command did.
type result struct {
	code     int
	out, err string
}

func run(t *testing.T, args ...string) result {
	t.Helper()
	return runContext(t.Context(), t, args...)
}

func runContext(ctx context.Context, t *testing.T, args ...string) result {
	t.Helper()
	return runPaced(ctx, t, 0, args...)
}

// runPaced has a standard output that takes its time for each write.
func runPaced(ctx context.Context, t *testing.T, pace time.Duration, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := cli.Run(ctx, cli.Streams{In: strings.NewReader(""), Out: slow{&out, pace}, Err: &errs},
		append([]string{"certs"}, args...), certscmd.New)
	checkSecret(t, out.String()+errs.String(), args)
	return result{code, out.String(), errs.String()}
}

type slow struct {
	io.Writer
	pace time.Duration
}

func (s slow) Write(p []byte) (int, error) {
	if s.pace > 0 {
		time.Sleep(s.pace) // fake time
	}
	return s.Writer.Write(p)
}

// checkSecret fails for output with a private key, or with a part of one of those
// in the working directory.
func checkSecret(t *testing.T, printed string, args []string) {
	t.Helper()
	if strings.Contains(printed, "PRIVATE KEY-----") {
		t.Errorf("certs %s printed a private key", strings.Join(args, " "))
	}
	printed = strings.ToLower(strings.Join(strings.Fields(printed), ""))
	_ = filepath.WalkDir(".", func(path string, d os.DirEntry, _ error) error {
		if d == nil || !d.Type().IsRegular() || filepath.Ext(path) != ".key" {
			return nil
		}
		data, key := readKey(path)
		if key == nil {
			return nil
		}
		block, _ := pem.Decode(data)
		all := secrets(t, key)
		all["file"], all["PKCS #8"] = data, block.Bytes
		for name, secret := range all {
			for _, text := range []string{hex.EncodeToString(secret), base64.StdEncoding.EncodeToString(secret), new(big.Int).SetBytes(secret).String()} {
				if strings.Contains(printed, strings.ToLower(text)) {
					t.Errorf("certs %s printed the %s of %s", strings.Join(args, " "), name, path)
				}
			}
		}
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); len(line) >= 32 && strings.Contains(printed, strings.ToLower(line)) {
				t.Errorf("certs %s printed a line of %s", strings.Join(args, " "), path)
			}
		}
		return nil
	})
}

// readKey returns nil for what is no key, or was one that another command has
// just removed.
func readKey(path string) (data []byte, key any) {
	data, _ = os.ReadFile(path)
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, nil
	}
	key, _ = x509.ParsePKCS8PrivateKey(block.Bytes)
	return data, key
}

// secrets are the private numbers of a key.
func secrets(t *testing.T, key any) map[string][]byte {
	t.Helper()
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		d, err := k.Bytes()
		assert.NoError(t, err)
		return map[string][]byte{"scalar": d}
	case ed25519.PrivateKey:
		return map[string][]byte{"seed": k.Seed()}
	case *rsa.PrivateKey:
		return map[string][]byte{"exponent": k.D.Bytes(), "first prime": k.Primes[0].Bytes(), "second prime": k.Primes[1].Bytes()}
	}
	t.Errorf("unknown key %T", key)
	return nil
}

func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	r := run(t, args...)
	if r.code != 0 {
		t.Fatalf("certs %s: exit code %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// newCA makes an authority in a new working directory.
func newCA(t *testing.T, args ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	t.Chdir(dir)
	mustRun(t, append([]string{"init-ca", "--ca", "ca"}, args...)...)
	return dir
}

// refused runs a command that must exit with 2 and one line on stderr, and
// change no file.
func refused(t *testing.T, want string, args ...string) {
	t.Helper()
	before := tree(t, ".")
	r := run(t, args...)
	if r.code != 2 || r.out != "" {
		t.Errorf("certs %s: got exit code %d and output %q, want 2 and none\n%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	if strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, want) {
		t.Errorf("certs %s: got error %q, want one line with %q", strings.Join(args, " "), r.err, want)
	}
	if after := tree(t, "."); after != before {
		t.Errorf("certs %s: files changed from\n%s to\n%s", strings.Join(args, " "), before, after)
	}
}

// tree lists the files with their content.
func tree(t *testing.T, root string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		out.WriteString(path)
		if d.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			out.Write(data)
		}
		out.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
