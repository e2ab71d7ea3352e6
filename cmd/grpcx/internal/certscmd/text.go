package certscmd

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	maxText     = 256
	minLifetime = time.Second
	maxLifetime = 30 * 365 * 24 * time.Hour
)

// clean makes text from a file or a peer fit for a terminal: bounded, on one
// line, without control characters.
func clean(s string) string {
	cut := len(s) > maxText
	if cut {
		s = s[:maxText]
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		s = strings.Trim(strconv.QuoteToASCII(s), `"`)
	}
	if cut {
		s += "..."
	}
	return s
}

// parseLifetime reads "90m", "24h" or "90d".
func parseLifetime(s string) (time.Duration, error) {
	var d time.Duration
	days, isDays := strings.CutSuffix(s, "d")
	if isDays {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, fmt.Errorf(`lifetime %q is not a duration; use one such as "90m", "24h" or "90d"`, clean(s))
		}
		d = time.Duration(n) * 24 * time.Hour
	} else {
		var err error
		if d, err = time.ParseDuration(s); err != nil {
			return 0, fmt.Errorf(`lifetime %q is not a duration; use one such as "90m", "24h" or "90d"`, clean(s))
		}
	}
	if d < minLifetime || d > maxLifetime || d%time.Second != 0 {
		return 0, fmt.Errorf("lifetime %q is out of range; use whole seconds from 1s to 30 years", clean(s))
	}
	return d, nil
}

// lifetimeFlag is a duration that also knows days.
type lifetimeFlag struct{ to *time.Duration }

// String returns the duration.
func (f lifetimeFlag) String() string { return formatLifetime(*f.to) }

// Type is the name of the value in the help.
func (f lifetimeFlag) Type() string { return "duration" }

// Set reads the duration.
func (f lifetimeFlag) Set(s string) error {
	d, err := parseLifetime(s)
	if err == nil {
		*f.to = d
	}
	return err
}

func formatLifetime(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func serialText(n *big.Int) string { return strings.ToLower(n.Text(16)) }

// parseSerial reads a serial number in hexadecimal, with or without the colons
// that openssl prints.
func parseSerial(s string) (*big.Int, error) {
	digits := strings.ReplaceAll(strings.TrimPrefix(strings.ToLower(s), "0x"), ":", "")
	n, ok := new(big.Int).SetString(digits, 16)
	if !ok || n.Sign() <= 0 || len(digits) > 40 || strings.ContainsAny(digits, "+-_") {
		return nil, fmt.Errorf("serial number %q is not hexadecimal; copy it from grpcx certs inspect", clean(s))
	}
	return n, nil
}

func fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// sanTexts lists the names of a certificate.
func sanTexts(cert *x509.Certificate) []string {
	var out []string
	for _, u := range cert.URIs {
		out = append(out, clean(u.String()))
	}
	for _, name := range cert.DNSNames {
		out = append(out, clean(name))
	}
	for _, ip := range cert.IPAddresses {
		out = append(out, ip.String())
	}
	return out
}
