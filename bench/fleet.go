package bench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"

	"github.com/grpcx-go/sdk/bench/server"
	"github.com/grpcx-go/sdk/tlsx/devcert"
)

// fleet is one server process of every stack, all in plaintext or all with TLS.
type fleet struct{ servers []*process }

// startFleet starts the processes. They end with close, with ctx, and with
// this process.
func startFleet(ctx context.Context, cfg Config, certDir string) (*fleet, error) {
	var clientTLS *tls.Config
	if certDir != "" {
		var err error
		if clientTLS, err = clientConfig(certDir); err != nil {
			return nil, err
		}
	}
	f := &fleet{}
	for _, program := range cfg.Programs {
		for _, name := range program.Stacks {
			order := server.Order{Stack: name, CertDir: certDir}
			if cfg.ProfileDir != "" {
				order.CPUProfile = filepath.Join(cfg.ProfileDir, fileName(name)+transport(certDir)+".pprof")
			}
			p, err := startProcess(ctx, program.Path, order, clientTLS)
			if err != nil {
				return nil, errors.Join(err, f.close())
			}
			f.servers = append(f.servers, p)
		}
	}
	return f, nil
}

// fileName is a stack's or load's name as part of a file's.
func fileName(name string) string { return strings.NewReplacer(" ", "-", "%", "").Replace(name) }

func transport(certDir string) string {
	if certDir == "" {
		return ""
	}
	return "-mtls"
}

func clientConfig(certDir string) (*tls.Config, error) {
	authority, err := devcert.Dir(certDir)
	if err != nil {
		return nil, err
	}
	files := authority.ClientFiles()
	cert, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority.CA())
	return &tls.Config{
		Certificates: []tls.Certificate{cert}, RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS13,
	}, nil
}

// attempts is how often a chunk is tried: a stack with timeouts or load
// shedding of its own may refuse a call while the machine is busy elsewhere.
const attempts = 3

// measure gives every server a chunk of calls, one server after the other in
// random order, and adds what each used to total, by the stack's name.
func (f *fleet) measure(ctx context.Context, l Load, calls int, total map[string]Sample, note func(string)) error {
	for _, i := range rand.Perm(len(f.servers)) {
		p := f.servers[i]
		for attempt := 1; ; attempt++ {
			sample, err := p.measure(ctx, l, calls)
			if err == nil {
				sum := total[p.name]
				sum.Add(sample)
				total[p.name] = sum
				break
			}
			err = fmt.Errorf("%s, load %s: %w", p.name, l.Name, err)
			if attempt == attempts || ctx.Err() != nil {
				return err
			}
			note("measured again: " + err.Error())
		}
	}
	return nil
}

func (f *fleet) close() error {
	errs := make([]error, len(f.servers))
	var wg sync.WaitGroup
	for i, p := range f.servers {
		wg.Go(func() { errs[i] = p.close() })
	}
	wg.Wait()
	return errors.Join(errs...)
}
