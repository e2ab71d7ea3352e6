package certscmd

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// distinguishedName prints a name in DER.
func distinguishedName(der []byte) string {
	var rdn pkix.RDNSequence
	if rest, err := asn1.Unmarshal(der, &rdn); err != nil || len(rest) > 0 {
		return "malformed"
	}
	return clean(rdn.String())
}

// table prints the reports for people.
func (c *inspect) table(reports []*report) {
	for i, r := range reports {
		if i > 0 {
			printf(c.streams, "\n")
		}
		printf(c.streams, "%s (%s)\n", clean(r.Target), r.Kind)
		w := tabwriter.NewWriter(c.streams.Out, 0, 0, 2, ' ', 0)
		row := func(name, format string, args ...any) {
			_, _ = fmt.Fprintf(w, "  %s\t%s\n", name, fmt.Sprintf(format, args...))
		}
		if n := r.Connection; n != nil {
			row("connection", "%s, %s, ALPN %s", orDash(n.Version), orDash(n.Cipher), orDash(clean(n.ALPN)))
			if len(n.ClientCAs) > 0 {
				row("client CAs", "%s", strings.Join(n.ClientCAs, "; "))
			}
		}
		for k, v := range r.Certificates {
			if len(r.Certificates) > 1 {
				row("certificate", "%d", k+1)
			}
			row("names", "%s", orDash(strings.Join(v.names(), ", ")))
			row("subject", "%s", orDash(v.Subject))
			row("issuer", "%s", orDash(v.Issuer))
			row("serial", "%s", v.Serial)
			row("valid", "%s to %s (%s)", stamp(v.NotBefore), stamp(v.NotAfter), leftText(v.SecondsLeft))
			row("usages", "%s", orDash(strings.Join(v.Usages, ", ")))
			row("key", "%s, signed with %s", v.KeyAlgorithm, v.Signature)
			row("sha256", "%s", v.SHA256)
		}
		_ = w.Flush()
		for _, f := range r.Findings {
			printf(c.streams, "  %s: %s (%s)\n", f.Severity, f.Text, f.Code)
		}
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func leftText(seconds int64) string {
	d := time.Duration(seconds) * time.Second
	switch {
	case d < 0:
		return "expired"
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days left", int(d/(24*time.Hour)))
	}
	return d.String() + " left"
}
