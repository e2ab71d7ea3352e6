package certscmd_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/certscmd"
	"github.com/grpcx-go/sdk/internal/certtest"
)

// oneLine fails for an error that would not be one line.
func oneLine(t *testing.T, err error) {
	t.Helper()
	if err != nil && (err.Error() == "" || strings.ContainsAny(err.Error(), "\n\r\x1b")) {
		t.Errorf("error %q is not one printable line", err)
	}
}

func fuzzBatch(f *testing.F, parse func([]byte) ([]string, error), seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		names, err := parse(data)
		oneLine(t, err)
		if err == nil && len(names) == 0 {
			t.Error("took a batch without a certificate")
		}
		for _, name := range names {
			if err == nil && (strings.ContainsAny(name, "/\\\x00") || strings.HasPrefix(name, ".")) {
				t.Errorf("took %q as the name of a directory", name)
			}
		}
	})
}

func FuzzYAML(f *testing.F) {
	fuzzBatch(f, certscmd.ParseYAML, fleetYAML, "certificates: [{name: a}]", "a: &a [*a]", "certificates:\n- <<: {name: a}", "---\n---\n")
}

func FuzzCSV(f *testing.F) {
	fuzzBatch(f, certscmd.ParseCSV, fleetCSV, "name,dns\n\"a\",\"b\nc\"", "name\n\xff")
}

func FuzzCSR(f *testing.F) {
	f.Add([]byte(csrJSON))
	f.Add([]byte(caCSRJSON))
	f.Add([]byte(`{"hosts": [null, "*."], "key": {"size": 1e9}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		oneLine(t, certscmd.ParseCACSR(data))
		names, err := certscmd.ParseCSR(data)
		oneLine(t, err)
		if err == nil && names == 0 {
			t.Error("took a request without a name")
		}
	})
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(configJSON))
	f.Add([]byte(`{"signing": {"default": {"expiry": "-1h", "usages": [null]}, "profiles": {"": {}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) { oneLine(t, certscmd.ParseConfig(data)) })
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"version": 1, "crl_number": 3, "certificates": [
 {"serial": "ab", "issued": "2026-01-01T00:00:00Z", "not_after": "2026-01-02T00:00:00Z", "revoked": {"at": "2026-01-01T01:00:00Z", "reason": "superseded"}}]}`))
	f.Add([]byte(`{"version": 1, "certificates": [null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := certscmd.ParseIndex(data)
		oneLine(t, err)
		if err != nil {
			return
		}
		twice, err := certscmd.ParseIndex(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Errorf("what was written reads differently (%v):\n%s\n%s", err, once, twice)
		}
	})
}

func FuzzPEM(f *testing.F) {
	ca := certtest.NewCA(f, "fuzz")
	f.Add(ca.PEM())
	f.Add(ca.Cert.Raw)
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nMTIz\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := certscmd.DecodeCerts(data)
		oneLine(t, err)
		if err == nil && n == 0 {
			t.Error("took a file without a certificate")
		}
		oneLine(t, certscmd.DecodeKey(data))
	})
}

func FuzzSerial(f *testing.F) {
	f.Add("AB:cd")
	f.Add("0x01")
	f.Fuzz(func(t *testing.T, s string) {
		text, err := certscmd.ParseSerial(s)
		oneLine(t, err)
		if again, err2 := certscmd.ParseSerial(text); err == nil && (err2 != nil || again != text) {
			t.Errorf("%q became %q, then %q (%v)", s, text, again, err2)
		}
	})
}

func FuzzLifetime(f *testing.F) {
	for _, s := range []string{"90m", "24h", "90d", "1h30m", "1s", "36h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, err := certscmd.ParseLifetime(s)
		oneLine(t, err)
		if again, err2 := certscmd.ParseLifetime(text); err == nil && (err2 != nil || again != text) {
			t.Errorf("%q became %q, then %q (%v)", s, text, again, err2)
		}
	})
}
