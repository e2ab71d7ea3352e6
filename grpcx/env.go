package grpcx

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/grpcx-go/sdk/tlsx"
)

// FromEnv reads settings from the environment variables that begin with the
// prefix and "_GRPC_": FromEnv("APP") reads APP_GRPC_ADDR and so on;
// docs/defaults.md lists the keys. Give it last, so that the environment beats
// the code.
//
// Other variables, such as the APP_PORT that Kubernetes injects for a Service
// named app, are not read. A key that looks like a misspelt one is an error,
// any other unknown key a warning when Serve starts. An empty variable counts
// as unset. The environment cannot weaken security: it can name TLS files,
// but not ask for plaintext, drop the client certificate, lift a limit or open
// the admin listener to a network.
func FromEnv(prefix string) Option {
	return newOption("FromEnv", prefix, func(s *settings) error {
		if !envPrefix.MatchString(prefix) {
			return optionErrorf("FromEnv", "", "%q is not a prefix; use upper-case letters, digits and underscores, for example \"APP\"", prefix)
		}
		s.readEnv(prefix+"_GRPC_", os.Environ())
		return nil
	})
}

var (
	envPrefix = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	// injected are the names that Kubernetes makes for a Service named
	// <prefix>-grpc.
	injected = regexp.MustCompile(`^(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)$`)
)

// envKey is one key that FromEnv knows.
type envKey struct {
	name string
	doc  string
	set  func(s *settings, value string) error
}

// envKeys lists the keys in the order of docs/defaults.md.
func envKeys() []envKey {
	keys := []envKey{
		{"ADDR", "replaces the addresses of the code", func(s *settings, v string) error {
			s.addrs = nil
			return WithAddr(v).apply(s)
		}},
		{"PROBE_ADDR", "address of the probe listener", func(s *settings, v string) error { return WithProbeAddr(v).apply(s) }},
		{"PROBE_TLS", "`true`: the probe listener speaks TLS", (*settings).setProbeTLS},
		{"ADMIN_ADDR", "address of the admin listener, on loopback", (*settings).setAdminAddr},
		{"TLS_CERT", "certificate chain, a PEM file", func(s *settings, v string) error { s.envFiles.Cert = v; return nil }},
		{"TLS_KEY", "private key, a PEM file", func(s *settings, v string) error { s.envFiles.Key = v; return nil }},
		{"TLS_CLIENT_CA", "CA bundle for client certificates, a PEM file", func(s *settings, v string) error { s.envFiles.ClientCA = v; return nil }},
		{"TLS_CRL", "CRL files or directories, separated like PATH; added to those of the code", func(s *settings, v string) error {
			s.envFiles.CRL = filepath.SplitList(v)
			return nil
		}},
	}
	keys = append(keys, structKeys("", func(s *settings) any { return &s.limits }, &Limits{}, true)...)
	keys = append(keys, structKeys("KEEPALIVE_", func(s *settings) any { return &s.keepalive }, &Keepalive{}, false)...)
	return append(keys, structKeys("DRAIN_", func(s *settings) any { return &s.drain }, &Drain{}, false)...)
}

// setProbeTLS can switch TLS on and not off.
func (s *settings) setProbeTLS(text string) error {
	on, err := strconv.ParseBool(text)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not a boolean; write true or false", text)
	case !on && s.probeTLS:
		return errors.New("the code asks for TLS (WithProbeTLS) and the environment cannot weaken it; unset the variable")
	}
	s.probeTLS = on
	return nil
}

// setAdminAddr can move the admin listener and not open it to a network.
func (s *settings) setAdminAddr(addr string) error {
	if err := checkAddr(addr); err != nil {
		return err
	}
	if !isLoopback(addr) {
		return fmt.Errorf("%q is open to the network, and the environment cannot weaken security; use a loopback address, for example 127.0.0.1:6060, or name the host in the code (WithAdminAddr)", addr)
	}
	return WithAdminAddr(addr).apply(s)
}

// structKeys makes a key for each field of a config struct. Limits may not be
// lifted from outside.
func structKeys(prefix string, target func(*settings) any, zero any, limits bool) []envKey {
	var keys []envKey
	for f := range fields(zero) {
		keys = append(keys, envKey{prefix + strings.ToUpper(f.key), f.doc, func(s *settings, text string) error {
			parsed := configField{value: reflect.New(f.value.Type()).Elem()}
			if err := parsed.set(text); err != nil {
				return err
			}
			switch v := parsed.value; {
			case v.CanInt() && v.Int() == 0:
				return fmt.Errorf("is 0; %s", zeroRemedy(f, limits))
			case limits && v.CanInt() && v.Int() < 0:
				return fmt.Errorf("is %s; the environment cannot lift a limit: set a positive value, or lift it in the code", text)
			}
			for field := range fields(target(s)) {
				if field.name == f.name && !parsed.value.IsZero() {
					field.value.Set(parsed.value)
				}
			}
			return nil
		}})
	}
	return keys
}

func zeroRemedy(f configField, limits bool) string {
	if f.negative != "" && !limits {
		return "unset it for the default, or set a negative value for " + f.negative
	}
	return "unset it for the default, or set a positive value"
}

func (s *settings) readEnv(prefix string, environ []string) {
	keys := map[string]envKey{}
	for _, k := range envKeys() {
		keys[k.name] = k
	}
	slices.Sort(environ)
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		key, ours := strings.CutPrefix(name, prefix)
		if !ours || value == "" {
			continue
		}
		if k, ok := keys[key]; ok {
			if err := k.set(s, value); err != nil {
				if oe, ok := errors.AsType[*OptionError](err); ok {
					err = oe.Err
				}
				s.errs = append(s.errs, &OptionError{Option: "FromEnv", Field: name, Err: err})
			}
			continue
		}
		if injected.MatchString(key) {
			continue
		}
		if near := nearest(key, slices.Sorted(maps.Keys(keys))); near != "" {
			s.errs = append(s.errs, optionErrorf("FromEnv", name, "there is no such key; did you mean %s%s?", prefix, near))
		} else {
			s.warnings = append(s.warnings, fmt.Sprintf("the environment variable %s is not known and has no effect", name))
		}
	}
	s.applyEnvFiles()
}

// applyEnvFiles puts the TLS files of the environment in place of the code's.
// That may turn plaintext into TLS, and ask for client certificates where the
// code does not; never the reverse.
func (s *settings) applyEnvFiles() {
	env := s.envFiles
	s.envFiles = tlsx.Files{}
	if env.IsZero() {
		return
	}
	if s.transport.option == "WithTLS" {
		s.errs = append(s.errs, optionErrorf("FromEnv", "TLS", "the code serves a TLS source of its own (WithTLS), which files cannot replace; unset the TLS variables"))
		return
	}
	if env.ClientCA != "" {
		s.transport.files.ClientAuth = tlsx.RequireClientCert
	}
	s.transport.option = "WithTLSFiles"
	env.CRL = append(slices.Clone(s.transport.files.CRL), env.CRL...)
	merge(&s.transport.files, env)
}

// nearest returns the known key within an edit distance of 2, or "".
func nearest(key string, known []string) string {
	best, bestDistance := "", 3
	for _, k := range known {
		if d := editDistance(key, k); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

// editDistance is Levenshtein's: the insertions, deletions and substitutions
// that turn a into b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
