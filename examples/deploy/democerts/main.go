// Command democerts makes certificates for trying the deployment out: those of
// a server and of a client, valid for a week, from a CA whose key is forgotten
// at once. Use cert-manager or a CA of your own for anything that matters.
package main

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	dir := flag.String("dir", "certs", "directory to write server/ and client/ into: tls.crt, tls.key and ca.crt each")
	hosts := flag.String("hosts", "localhost,greeter,greeter.greeter.svc,greeter-headless.greeter.svc", "names of the server")
	flag.Parse()
	ca, caKey := issue(&x509.Certificate{Subject: pkix.Name{CommonName: "democerts"}, IsCA: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	server, serverKey := issue(&x509.Certificate{DNSNames: strings.Split(*hosts, ","), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, ca, caKey)
	client, clientKey := issue(&x509.Certificate{DNSNames: []string{"client"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, ca, caKey)
	save(filepath.Join(*dir, "server"), ca, server, serverKey)
	save(filepath.Join(*dir, "client"), ca, client, clientKey)
}

func issue(cert, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	cert.NotBefore, cert.NotAfter, cert.BasicConstraintsValid = time.Now().Add(-time.Minute), time.Now().AddDate(0, 0, 7), true
	cert.KeyUsage |= x509.KeyUsageDigitalSignature
	der := must(x509.CreateCertificate(rand.Reader, cert, cmp.Or(parent, cert), &key.PublicKey, cmp.Or(signer, key)))
	return must(x509.ParseCertificate(der)), key
}

func save(dir string, ca, cert *x509.Certificate, key *ecdsa.PrivateKey) {
	must(0, os.MkdirAll(dir, 0o755)) // the keys are 0600
	for name, block := range map[string]*pem.Block{
		"ca.crt":  {Type: "CERTIFICATE", Bytes: ca.Raw},
		"tls.crt": {Type: "CERTIFICATE", Bytes: cert.Raw},
		"tls.key": {Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))},
	} { // renamed into place, so that a server that follows the files reads no half
		path := filepath.Join(dir, name)
		must(0, os.WriteFile(path+".tmp", pem.EncodeToMemory(block), 0o600))
		must(0, os.Rename(path+".tmp", path))
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
