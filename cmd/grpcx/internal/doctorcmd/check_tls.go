package doctorcmd

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/grpcx-go/sdk/tlsx"
)

// checkIdentity loads the TLS files as a server does.
func (e *examination) checkIdentity() {
	files := e.opts.files
	if files.Cert == "" {
		e.okf("tls.certificate", "--cert", "no TLS files were named, so none were looked at")
		return
	}
	e.checkKeyMode(files.Key)
	snapshot, err := tlsx.Load(files)
	if err != nil {
		for _, err := range split(err) {
			e.tlsProblem(err)
		}
		return
	}
	wall, _ := e.host.now()
	leaf := snapshot.Leaf()
	e.TLS = &identity{
		Subject: leaf.Subject.String(), SANs: sans(leaf),
		NotBefore: leaf.NotBefore, NotAfter: snapshot.NotAfter(),
		ClientAuth: snapshot.ClientAuth().String(), ClientCAs: len(snapshot.ClientCAs()), CRLs: len(snapshot.CRLs()),
	}
	e.checkLeaf(files, snapshot, wall)
	e.checkBundle(files, snapshot, wall)
	e.checkCRLs(snapshot, wall)
}

// tlsProblem reports one problem of the files. The text of tlsx ends with the
// remedy, after a semicolon.
func (e *examination) tlsProblem(err error) {
	id, source, text := "tls.files", "tlsx.Load", err.Error()
	file, ok := errors.AsType[*tlsx.FileError](err)
	if ok {
		id = "tls." + strings.ReplaceAll(strings.ToLower(file.Role), " ", "-")
		source, text = file.Path, file.Err.Error()
	}
	what, remedy, found := strings.Cut(text, "; ")
	if !found {
		remedy = "correct the file, or name another one"
	}
	if ok && file.Path == "" {
		// No file was named, and that of a certificate and a key always is.
		source = "--client-ca"
		remedy = "name the CAs of the clients with --client-ca, or serve clients without a certificate: --client-auth none, in code tlsx.NoClientCert"
	} else if ok {
		what = fmt.Sprintf("%s %q: %s", file.Role, file.Path, what)
	}
	e.fail(id, source, what, remedy)
}

func (e *examination) checkKeyMode(path string) {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o004 == 0 {
		return // what cannot be read is reported by tlsx
	}
	e.warn("tls.key-mode", path, fmt.Sprintf("private key %q: every user of the machine can read it (mode %04o)", path, info.Mode().Perm()),
		"chmod 600 it; for a volume of Kubernetes, defaultMode: 0400, or 0440 with fsGroup")
}

func (e *examination) checkLeaf(files tlsx.Files, snapshot *tlsx.Snapshot, now time.Time) {
	leaf, end := snapshot.Leaf(), snapshot.NotAfter()
	switch left, life := end.Sub(now), end.Sub(leaf.NotBefore); {
	// Renewal is due after two thirds of the life, in cert-manager as well as
	// in "grpcx certs renew"; so late it did not happen.
	case left < life/5:
		what := "it"
		if end.Before(leaf.NotAfter) {
			what = "a CA certificate of its chain"
		}
		e.warn("tls.certificate", files.Cert, fmt.Sprintf("certificate %q: %s ends at %s, and less than a fifth of its life is left", files.Cert, what, stamp(end)),
			"renew it, and see why that was not done before")
	default:
		e.okf("tls.certificate", files.Cert, "certificate %q: %s for %s, until %s, with its key", files.Cert,
			quoteSubject(leaf), strings.Join(e.TLS.SANs, ", "), stamp(end))
	}
	if len(e.TLS.SANs) == 0 {
		e.fail("tls.names", files.Cert, fmt.Sprintf("certificate %q: it has no subject alternative names, and clients look at no others", files.Cert),
			"issue it with the DNS names, addresses or SPIFFE ID of the server")
	}
	if snapshot.Development() {
		e.warn("tls.development", files.Cert, fmt.Sprintf("certificate %q: it is a development certificate of devcert", files.Cert),
			"issue one with the CA of the environment")
	}
}

func (e *examination) checkBundle(files tlsx.Files, snapshot *tlsx.Snapshot, now time.Time) {
	const id = "tls.client-ca"
	if files.ClientCA == "" {
		e.okf(id, "--client-auth", "client certificates: %s", files.ClientAuth)
		return
	}
	cas := snapshot.ClientCAs()
	bad := false
	for _, ca := range cas {
		text := ""
		switch {
		case now.After(ca.NotAfter):
			text = "expired at " + stamp(ca.NotAfter)
		case now.Before(ca.NotBefore):
			text = "is not valid before " + stamp(ca.NotBefore) + ", and the clock of this machine shows " + stamp(now)
		case ca.NotAfter.Sub(now) < ca.NotAfter.Sub(ca.NotBefore)/10:
			text = "ends at " + stamp(ca.NotAfter) + ", and less than a tenth of its life is left"
		}
		if text != "" {
			bad = true
			e.warn(id, files.ClientCA, fmt.Sprintf("client CA %q: %s %s", files.ClientCA, quoteSubject(ca), text),
				"put its successor beside it before it ends, and take it out afterwards")
		}
	}
	if !bad {
		e.okf(id, files.ClientCA, "client CA %q: %s; client certificates: %s", files.ClientCA, plural(len(cas), "CA"), files.ClientAuth)
	}
}

func (e *examination) checkCRLs(snapshot *tlsx.Snapshot, now time.Time) {
	const id = "tls.crl"
	for _, crl := range snapshot.CRLs() {
		name := fmt.Sprintf("CRL %q of %q", crl.Path, crl.Issuer)
		switch {
		case crl.Ignored != "":
			e.warn(id, crl.Path, name+" is not used: "+crl.Ignored, "take it out, or replace it")
		case now.After(crl.NextUpdate):
			e.fail(id, crl.Path, name+" is out of date since "+stamp(crl.NextUpdate)+", so clients of that CA are refused",
				"fetch the new one, or check the clock of this machine, which shows "+stamp(now))
		default:
			e.okf(id, crl.Path, "%s revokes %s, and is good until %s", name, plural(crl.Revoked, "certificate"), stamp(crl.NextUpdate))
		}
	}
}

// sans lists all subject alternative names.
func sans(cert *x509.Certificate) []string {
	names := append([]string{}, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	for _, uri := range cert.URIs {
		names = append(names, uri.String())
	}
	return append(names, cert.EmailAddresses...)
}

func quoteSubject(cert *x509.Certificate) string { return fmt.Sprintf("%q", cert.Subject.String()) }

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
