package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"

	conformance "connectrpc.com/conformance/internal/gen/proto/go/connectrpc/conformance/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

type bareServer struct{ *grpc.Server }

func newBare(want *conformance.ServerCompatRequest, cert *tls.Certificate) (server, error) {
	opts := []grpc.ServerOption{grpc.MaxRecvMsgSize(int(want.MessageReceiveLimit))}
	if cert != nil {
		cfg := &tls.Config{Certificates: []tls.Certificate{*cert}}
		if len(want.ClientTlsCert) > 0 {
			cfg.ClientCAs = x509.NewCertPool()
			cfg.ClientCAs.AppendCertsFromPEM(want.ClientTlsCert)
			cfg.ClientAuth = tls.RequireAndVerifyClientCert
		}
		opts = append(opts, grpc.Creds(credentials.NewTLS(cfg)))
	}
	return bareServer{grpc.NewServer(opts...)}, nil
}

func (s bareServer) serve(ctx context.Context, lis net.Listener) error {
	defer context.AfterFunc(ctx, s.GracefulStop)()
	return s.Serve(lis)
}
