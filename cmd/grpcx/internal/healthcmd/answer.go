package healthcmd

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
)

// An answer is what one call found. Its zero value is none.
type answer struct {
	status  string // as in grpc.health.v1; empty without an answer
	connect time.Duration
	call    time.Duration
	tls     *tls.ConnectionState // nil in plaintext, or without a connection
}

// A printer writes answers and the errors in their place.
type printer struct {
	out     io.Writer
	format  cli.Format
	request *request
}

// print writes the result of a check: for people only one that is SERVING, since
// the error goes to standard error.
func (p *printer) print(a answer, err error) error {
	switch {
	case p.format == cli.JSON:
		return p.printJSON(a, err)
	case err == nil:
		_, err := fmt.Fprintln(p.out, p.line(a))
		return err
	}
	return nil
}

// printChange writes a line of --watch.
func (p *printer) printChange(a answer, err error) error {
	if p.format == cli.JSON {
		return p.printJSON(a, err)
	}
	text := "NO_ANSWER "
	if a.status != "" {
		text = p.line(a)
	} else if err != nil {
		text += cli.OneLine(err.Error())
	}
	_, err = fmt.Fprintf(p.out, "%s %s\n", now(), text)
	return err
}

// now is RFC 3339 with milliseconds, always of the same width.
func now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// line is an answer for people.
func (p *printer) line(a answer) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s", a.status, p.request.target.text)
	if p.request.service != "" {
		fmt.Fprintf(&out, " service=%q", p.request.service)
	}
	fmt.Fprintf(&out, " connect=%s call=%s", short(a.connect), short(a.call))
	if a.tls != nil {
		fmt.Fprintf(&out, " tls=%s", tlsVersion(a.tls))
		if leaf := leafOf(a.tls); leaf != nil {
			fmt.Fprintf(&out, " certificate_until=%s", moment(leaf.NotAfter))
		}
	}
	return out.String()
}

// A jsonAnswer is a line of -o json. Fields are only ever added.
type jsonAnswer struct {
	Time           string   `json:"time"`
	Address        string   `json:"address"`
	Service        string   `json:"service"`
	Status         string   `json:"status"`
	ExitCode       int      `json:"exit_code"`
	ErrorKind      string   `json:"error_kind"`
	Error          string   `json:"error"`
	ConnectSeconds float64  `json:"connect_seconds"`
	CallSeconds    float64  `json:"call_seconds"`
	TLS            *jsonTLS `json:"tls"`
}

type jsonTLS struct {
	Version          string   `json:"version"`
	ServerName       string   `json:"server_name"`
	Verified         bool     `json:"verified"`
	Subject          string   `json:"subject"`
	Names            []string `json:"names"`
	CertificateUntil string   `json:"certificate_until"`
}

func (p *printer) printJSON(a answer, err error) error {
	out := jsonAnswer{
		Time: now(), Address: p.request.target.text, Service: p.request.service, Status: a.status,
		ConnectSeconds: a.connect.Seconds(), CallSeconds: a.call.Seconds(),
	}
	if fault, ok := errors.AsType[*fault](err); ok {
		out.ExitCode, out.ErrorKind, out.Error = fault.code, fault.kind, cli.OneLine(fault.Error())
	}
	if a.tls != nil {
		out.TLS = &jsonTLS{
			Version: tlsVersion(a.tls), ServerName: p.request.tls.serverName,
			Verified: !p.request.tls.config.InsecureSkipVerify,
		}
		if leaf := leafOf(a.tls); leaf != nil {
			out.TLS.Subject, out.TLS.Names = leaf.Subject.String(), names(leaf)
			out.TLS.CertificateUntil = moment(leaf.NotAfter)
		}
	}
	return json.NewEncoder(p.out).Encode(out)
}
