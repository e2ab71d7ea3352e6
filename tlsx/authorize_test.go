package tlsx_test

import (
	"crypto/x509"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

func TestMatcherMatches(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	svid := func(uris ...string) certtest.Template { return certtest.Template{URIs: uris} }
	dns := func(names ...string) certtest.Template {
		return certtest.Template{CommonName: "web.example.org", DNSNames: names}
	}
	const id = "spiffe://example.org/ns/a/sa/web"
	for _, tc := range []struct {
		name    string
		matcher tlsx.Matcher
		peer    certtest.Template
		want    bool
	}{
		{"SPIFFE ID", tlsx.AllowSPIFFEID("spiffe://other.org/x", id), svid(id), true},
		{"a longer ID", tlsx.AllowSPIFFEID(id), svid(id + "2"), false},
		{"an ID below", tlsx.AllowSPIFFEID(id), svid(id + "/x"), false},
		{"path is case-sensitive", tlsx.AllowSPIFFEID(id), svid("spiffe://example.org/ns/a/sa/Web"), false},
		{"not an SVID: two URIs", tlsx.AllowSPIFFEID(id), svid(id, "https://example.org/"), false},
		{"the ID as a DNS name", tlsx.AllowSPIFFEID(id), dns("example.org"), false},
		{"trust domain", tlsx.AllowTrustDomain("example.org"), svid(id), true},
		{"another trust domain", tlsx.AllowTrustDomain("example.org"), svid("spiffe://example.org.evil.org/ns"), false},
		{"a subdomain is another", tlsx.AllowTrustDomain("example.org"), svid("spiffe://a.example.org/ns"), false},
		{"trust domain without path", tlsx.AllowTrustDomain("example.org"), svid("spiffe://example.org"), false},
		{"DNS", tlsx.AllowDNS("web.example.org"), dns("other.org", "web.example.org"), true},
		{"DNS ignores case", tlsx.AllowDNS("Web.Example.org"), dns("wEB.example.ORG"), true},
		{"never the CN", tlsx.AllowDNS("web.example.org"), dns("other.org"), false},
		{"DNS below", tlsx.AllowDNS("example.org"), dns("web.example.org"), false},
		{"wildcard", tlsx.AllowDNS("*.example.org"), dns("web.example.org"), true},
		{"wildcard is one label", tlsx.AllowDNS("*.example.org"), dns("a.b.example.org"), false},
		{"wildcard is not none", tlsx.AllowDNS("*.example.org"), dns("example.org"), false},
		{"wildcard ends at a dot", tlsx.AllowDNS("*.example.org"), dns("webexample.org"), false},
		{"wildcard SAN, exact", tlsx.AllowDNS("web.example.org"), dns("*.example.org"), false},
		{"wildcard SAN, wildcard", tlsx.AllowDNS("*.example.org"), dns("*.example.org"), false},
		{"URI", tlsx.AllowURI("https://example.org/web"), svid("https://example.org/other", "https://example.org/web"), true},
		{"another URI", tlsx.AllowURI("https://example.org/web"), svid("https://example.org/web/"), false},
		{"any of", tlsx.AnyOf(tlsx.AllowDNS("a.org"), tlsx.AllowSPIFFEID(id)), svid(id), true},
		{"none of", tlsx.AnyOf(tlsx.AllowDNS("a.org"), tlsx.AllowSPIFFEID(id)), dns("b.org"), false},
		{"zero", tlsx.Matcher{}, dns("a.org"), false},
		{"invalid", tlsx.AllowDNS("a.org", "b..org"), dns("a.org"), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			peer, ok := tlsx.PeerIdentity(verified(ca.Issue(t, tc.peer), ca))
			assert.True(t, ok)
			assert.Equal(t, tc.matcher.Matches(peer), tc.want)
			assert.True(t, !tc.matcher.Matches(tlsx.Identity{}), "nobody matches nothing")
		})
	}
}

func TestMatcherText(t *testing.T) {
	for text, want := range map[string]string{
		"spiffe://example.org/a/B_c.9-x":     "",
		"spiffe://example.org/*":             "",
		"dns:web.example.org":                "",
		"dns:Web.Example.org":                "dns:web.example.org",
		"dns:*.example.org":                  "",
		"uri:https://example.org/a?b=c":      "",
		"uri:urn:uuid:1234":                  "",
		"uri:https://b/ dns:a spiffe://td/a": "spiffe://td/a dns:a uri:https://b/",
		"dns:b dns:a dns:b":                  "dns:a dns:b",
	} {
		if want == "" {
			want = text
		}
		m, err := tlsx.ParseMatcher(text)
		assert.NoError(t, err)
		assert.Equal(t, m.String(), want)
		again, err := tlsx.ParseMatcher(want)
		assert.NoError(t, err)
		assert.Equal(t, again, m)
	}
	for text, want := range map[string]string{
		"":                              "names nobody",
		" ":                             "empty term",
		"dns:a  dns:b":                  "empty term",
		"web.example.org":               "begin it with dns:, uri: or spiffe://",
		"DNS:a":                         "begin it with",
		"spiffe://":                     "no valid trust domain",
		"spiffe://example.org":          "has no path",
		"spiffe://example.org/":         "has no path",
		"spiffe://Example.org/a":        "no valid trust domain",
		"spiffe://example.org:1/a":      "no valid trust domain",
		"spiffe://example.org/a/*":      "wildcard",
		"spiffe://*/a":                  "no valid trust domain",
		"spiffe://example.org/a/":       "no final slash",
		"spiffe://example.org/../a":     "neither . nor ..",
		"spiffe://example.org/%61":      "no valid path",
		"spiffe:///*":                   "trust domain",
		"spiffe://a/b/*":                "wildcard",
		"dns:":                          "is not valid",
		"dns:*":                         "wildcard",
		"dns:*.":                        "is not valid",
		"dns:a.*.org":                   "wildcard",
		"dns:w*.example.org":            "wildcard",
		"dns:*.*.org":                   "wildcard",
		"dns:a.org.":                    "ends with a dot",
		"dns:10.0.0.1":                  "is an IP address",
		"dns:::1":                       "is an IP address",
		"dns:a.org:443":                 "without scheme and port",
		"dns:bücher.example":            "Punycode",
		"dns:a/b":                       "is not valid",
		"uri:":                          "has no scheme",
		"uri:/a":                        "has no scheme",
		"uri:spiffe://a/b":              "without uri:",
		"uri:HTTPS://a/":                `write "https://a/"`,
		"uri:https://a/\x00":            "is not valid",
		"uri:%":                         "is not valid",
		"uri:https://ü/":                "is not valid",
		strings.Repeat("dns:a ", 20000): "longer than",
	} {
		_, err := tlsx.ParseMatcher(text)
		assert.ErrorContains(t, err, "tlsx: ", want)
	}
}

func TestMatcherJSON(t *testing.T) {
	files := tlsx.Files{Cert: "c", Allow: []tlsx.Matcher{tlsx.AllowDNS("a.org", "*.b.org"), tlsx.AllowTrustDomain("td")}, Revocation: tlsx.RevocationSoft, OCSP: tlsx.OCSPRequire, CRL: []string{"crls"}}
	data, err := json.Marshal(files)
	assert.NoError(t, err)
	assert.Equal(t, string(data), `{"cert":"c","crl":["crls"],"revocation":"soft","ocsp":"require","allow":["dns:a.org dns:*.b.org","spiffe://td/*"]}`)
	var again tlsx.Files
	assert.NoError(t, json.Unmarshal(data, &again))
	assert.Equal(t, again, files)
	assert.True(t, !files.IsZero() && tlsx.Files{}.IsZero())
	assert.ErrorContains(t, json.Unmarshal([]byte(`{"allow":["a.org"]}`), &again), "begin it with")
	assert.ErrorContains(t, json.Unmarshal([]byte(`{"revocation":"none"}`), &again), `"hard" or "soft"`)
	assert.ErrorContains(t, json.Unmarshal([]byte(`{"ocsp":"on"}`), &again), `"verify-if-given"`)
	for _, bad := range []any{tlsx.Matcher{}, tlsx.AllowURI("x"), tlsx.Revocation(7), tlsx.OCSP(-1)} {
		_, err := json.Marshal(bad)
		assert.True(t, err != nil, "an invalid value has no text")
	}
	assert.Equal(t, tlsx.Revocation(7).String()+tlsx.OCSP(-1).String(), "Revocation(7)OCSP(-1)")
	assert.Contains(t, tlsx.AllowURI("x").String(), "invalid", "no scheme")
}

func TestAllow(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	mine := certtest.Template{URIs: []string{"spiffe://example.org/web"}}
	web, other := ca.Issue(t, mine), ca.Issue(t, certtest.Client)
	s := withMaterial(t, ca.Issue(t, certtest.Server), func(m *tlsx.Material) {
		m.Allow = []tlsx.Matcher{tlsx.AllowSPIFFEID("spiffe://example.org/web"), tlsx.AllowDNS("x.test")}
	}, ca)
	for _, v := range versions {
		_, _, serverErr, clientErr := handshake(t, s.ServerConfig(), withVersion(plainClient(ca, web.TLS()), v))
		assert.NoError(t, serverErr)
		assert.NoError(t, clientErr)
		_, _, serverErr, clientErr = handshake(t, s.ServerConfig(), withVersion(plainClient(ca, other.TLS()), v))
		assert.Equal(t, reasonOf(serverErr), tlsx.PeerNotAllowed)
		assert.ErrorContains(t, serverErr, "client.test is not on the list")
		assert.True(t, clientErr != nil)
	}
	_, err := s.Recheck(peerState(other), time.Now())
	assert.Equal(t, reasonOf(err), tlsx.PeerNotAllowed)
}

func TestPolicySettingsRefused(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	both := ca.Issue(t, certtest.Template{})
	list := [][]byte{crl{number: 1}.by(t, ca)}
	allow := []tlsx.Matcher{tlsx.AllowDNS("a.org")}
	for name, tc := range map[string]struct {
		edit func(*tlsx.Material)
		want []string
	}{
		"revocation":          {func(m *tlsx.Material) { m.Revocation = 7 }, []string{"Revocation(7)", "tlsx.RevocationSoft"}},
		"soft about nothing":  {func(m *tlsx.Material) { m.Revocation = tlsx.RevocationSoft }, []string{"no revocation is checked"}},
		"OCSP":                {func(m *tlsx.Material) { m.OCSP = 7 }, []string{"OCSP(7)", "tlsx.OCSPRequire"}},
		"empty matcher":       {func(m *tlsx.Material) { m.Allow = []tlsx.Matcher{allow[0], {}} }, []string{"Material.Allow[1]", "names nobody"}},
		"bad matcher":         {func(m *tlsx.Material) { m.Allow = []tlsx.Matcher{tlsx.AnyOf(tlsx.AllowTrustDomain("A"))} }, []string{"Material.Allow[0]", `trust domain "A"`}},
		"allow and optional":  {func(m *tlsx.Material) { m.Allow, m.ClientAuth = allow, tlsx.VerifyClientCertIfGiven }, []string{"leaving its certificate out", "RequireClientCert"}},
		"allow for a client":  {func(m *tlsx.Material) { m.Allow, m.Usage = allow, tlsx.ForClient }, []string{"lists clients", "tlsx.ClientConfig"}},
		"CRL without clients": {func(m *tlsx.Material) { m.CRLs, m.ClientAuth, m.ClientCAs = list, tlsx.NoClientCert, nil }, []string{"never be used"}},
		"OCSP without":        {func(m *tlsx.Material) { m.OCSP, m.ClientAuth, m.ClientCAs = tlsx.OCSPRequire, tlsx.NoClientCert, nil }, []string{"nothing would be verified"}},
		"bad CRL":             {func(m *tlsx.Material) { m.CRLs = [][]byte{[]byte("x")} }, []string{"tlsx: CRL: ", "no X509 CRL block"}},
	} {
		m := tlsx.Material{Certificate: both.TLS(), ClientCAs: []*x509.Certificate{ca.Cert}}
		tc.edit(&m)
		_, err := tlsx.NewSnapshot(m)
		assert.ErrorContains(t, err, tc.want...)
		if err == nil {
			t.Error(name)
		}
	}
}

func FuzzMatcher(f *testing.F) {
	for _, seed := range []string{
		"spiffe://example.org/a", "spiffe://example.org/*", "dns:a.org", "dns:*.a.org", "uri:https://a/b", "dns:a dns:b",
		"uri:a:%2F", "spiffe://a/*/b", "dns:*.*", " ", "uri:http://[::1]/", "dns:1.2.3.4",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := tlsx.ParseMatcher(text)
		if err != nil {
			assert.Contains(t, err.Error(), "tlsx: ")
			assert.NotContains(t, err.Error(), "\n\n", "\x00", "\x1b")
			return
		}
		out, err := m.MarshalText()
		assert.NoError(t, err)
		var again tlsx.Matcher
		assert.NoError(t, again.UnmarshalText(out))
		assert.Equal(t, again, m, "the text form is canonical")
		terms := strings.Split(strings.ToLower(text), " ")
		for term := range strings.SplitSeq(string(out), " ") {
			assert.True(t, slices.Contains(terms, strings.ToLower(term)), "every term was given: "+term)
		}
	})
}
