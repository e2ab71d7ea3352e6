package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"

	conformance "connectrpc.com/conformance/internal/gen/proto/go/connectrpc/conformance/v1"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/grpcx-go/sdk/grpcx"
	"github.com/grpcx-go/sdk/tlsx"
)

type wovenServer struct{ *grpcx.Server }

// newWoven changes no default but for the drain's delay: the suite waits for
// the end of each server.
func newWoven(want *conformance.ServerCompatRequest, cert *tls.Certificate) (server, error) {
	opts := []grpcx.Option{
		grpcx.WithTracerProvider(trace.NewTracerProvider()),
		grpcx.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))),
		grpcx.WithPropagator(propagation.TraceContext{}),
		grpcx.WithDrain(grpcx.Drain{Delay: -1}),
	}
	if limit := int(want.MessageReceiveLimit); limit > 0 {
		opts = append(opts, grpcx.WithLimits(grpcx.Limits{MaxRecvBytes: limit}))
	}
	if cert == nil {
		opts = append(opts, grpcx.WithInsecure())
	} else {
		source, err := source(want, *cert)
		if err != nil {
			return nil, err
		}
		opts = append(opts, grpcx.WithTLS(source))
	}
	srv, err := grpcx.New(opts...)
	return wovenServer{srv}, err
}

func source(want *conformance.ServerCompatRequest, cert tls.Certificate) (tlsx.Source, error) {
	material := tlsx.Material{Certificate: cert, ClientAuth: tlsx.NoClientCert}
	if len(want.ClientTlsCert) > 0 {
		ca, err := issuer(want.ClientTlsCert)
		if err != nil {
			return nil, fmt.Errorf("the client's certificate: %w", err)
		}
		material.ClientAuth, material.ClientCAs = tlsx.RequireClientCert, []*x509.Certificate{ca}
	}
	snapshot, err := tlsx.NewSnapshot(material)
	if err != nil {
		return nil, err
	}
	return tlsx.Static(snapshot), nil
}

// issuer makes the CA that a self-signed client certificate names as its issuer,
// with the certificate's own name and key: the suite's is not a CA, and tlsx
// does not take one for a CA that is none.
func issuer(clientPEM []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(clientPEM)
	if block == nil {
		return nil, errors.New("not PEM")
	}
	client, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), RawSubject: client.RawSubject, NotBefore: client.NotBefore, NotAfter: client.NotAfter,
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
		// Without a name of its own it would count as the certificate itself.
		DNSNames: []string{"issuer.test"},
	}, &x509.Certificate{RawSubject: client.RawSubject}, client.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func (s wovenServer) serve(ctx context.Context, lis net.Listener) error { return s.Serve(ctx, lis) }
