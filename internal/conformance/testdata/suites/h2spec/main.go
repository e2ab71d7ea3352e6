// Command h2spec runs h2spec with a client certificate, which its own command
// has no flag for, and writes how each case ended to a file. Arguments are the
// IDs of the cases to run, such as http2/6.10/6; without any all are run.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/netip"
	"os"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
)

func main() {
	addr := flag.String("addr", "", "the server's address")
	cert := flag.String("cert", "", "the client's certificate, a PEM file")
	key := flag.String("key", "", "the key of the certificate, a PEM file")
	report := flag.String("report", "", "the file to write, in JSON: how each case ended, by its name")
	flag.Parse()
	if err := run(*addr, *cert, *key, *report, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func run(addr, cert, key, report string, ids []string) error {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return err
	}
	c := &config.Config{
		Host: to.Addr().String(), Port: int(to.Port()), Path: "/grpc.testing.TestService/EmptyCall",
		Timeout: 2 * time.Second, MaxHeaderLen: 4000, Strict: true,
		TLS: true, Insecure: true, CertFile: cert, CertKeyFile: key, Sections: ids,
	}
	ended := map[string]string{}
	for _, group := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
		group.Test(c)
		collect(group, ended)
	}
	text, err := json.MarshalIndent(ended, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(report, text, 0o600)
}

func collect(group *spec.TestGroup, ended map[string]string) {
	for _, cases := range [][]*spec.TestCase{group.Tests, group.StrictTests} {
		for _, c := range cases {
			r := c.Result
			if r == nil {
				continue
			}
			name := fmt.Sprintf("%s/%d %s", group.ID(), r.Sequence, c.Desc)
			switch {
			case r.Skipped:
				ended[name] = "skipped"
			case r.Failed:
				ended[name] = "failed: " + r.Error.Error()
			default:
				ended[name] = "passed"
			}
		}
	}
	for _, g := range group.Groups {
		collect(g, ended)
	}
}
