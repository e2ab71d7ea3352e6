package tlsx_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/certtest"
	"github.com/grpcx-go/sdk/tlsx"
)

// stapling is a running reloader in a bubble whose responder is a function.
type stapling struct {
	*bed

	ca   *certtest.CA
	leaf *certtest.Leaf

	mu      sync.Mutex
	asked   int
	respond func() ([]byte, error)
}

// answers lets the responder answer so from now on.
func (s *stapling) answers(respond func() ([]byte, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.respond = respond
}

func (s *stapling) ask(context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.respond()
}

func (s *stapling) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func inStaplingBubble(t *testing.T, f func(*stapling)) {
	s := new(stapling)
	synctest.Test(t, func(t *testing.T) {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		assert.NoError(t, err)
		first := newIssue(t, 0)
		first.write(t, dir)
		src := &fakeSource{}
		s.bed = &bed{t: t, dir: dir, src: src, rec: newRecorder()}
		s.ca, s.leaf = first.ca, first.leaf
		s.good(time.Hour)
		s.r = newReloader(t, filesIn(dir), s.rec.options(src.option(), tlsx.WithStapleFetch(s.ask))...)
		stop := start(t, s.r)
		synctest.Wait()
		f(s)
		stop()
	})
}

// good lets the responder say so, from the time of the question, for life.
func (s *stapling) good(life time.Duration) {
	leaf, ca := s.leaf.Cert, s.ca
	s.answers(func() ([]byte, error) {
		return answer{edit: func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = time.Now(), time.Now().Add(life) }}.about(s.t, leaf, ca), nil
	})
}

func (s *stapling) fail() { s.answers(func() ([]byte, error) { return nil, errors.New("no route") }) }

func (s *stapling) expect(asked int, stapled bool, what string) {
	s.t.Helper()
	assert.Equal(s.t, s.count(), asked, what)
	assert.Equal(s.t, len(s.r.Current().Staple()) > 0, stapled, what)
}

func TestStapleRefreshedAtHalfLife(t *testing.T) {
	inStaplingBubble(t, func(s *stapling) {
		s.expect(1, true, "at once")
		trust := s.r.Current().TrustGeneration()
		assert.Equal(t, s.r.Current().Generation(), uint64(2))
		first := string(s.r.Current().Staple())
		s.pass(30*time.Minute - time.Second)
		s.expect(1, true, "before half the life")
		s.pass(time.Second)
		s.expect(2, true, "at half the life")
		assert.True(t, string(s.r.Current().Staple()) != first)
		assert.Equal(t, s.r.Current().Generation(), uint64(3))
		assert.Equal(t, s.r.Status().Generation, uint64(3))
		assert.Equal(t, s.r.Current().TrustGeneration(), trust, "only the identity changed")
		s.kinds("tlsx.Stapled", "tlsx.Stapled")
	})
}

func TestStapleDroppedAtNextUpdate(t *testing.T) {
	inStaplingBubble(t, func(s *stapling) {
		s.fail()
		s.pass(30 * time.Minute)
		s.expect(2, true, "a failure keeps the last response")
		s.pass(time.Minute)
		s.expect(3, true, "again after a minute")
		s.pass(2 * time.Minute)
		s.expect(4, true, "and after two")
		s.pass(27*time.Minute - time.Second)
		assert.True(t, len(s.r.Current().Staple()) > 0)
		s.pass(time.Second)
		assert.Equal(t, len(s.r.Current().Staple()), 0, "dropped at its nextUpdate, exactly")
		assert.True(t, s.has("tlsx.StapleDropped"))
		events, _ := s.rec.seen()
		failed, ok := events[2].(tlsx.StapleFailed)
		assert.True(t, ok)
		assert.ErrorContains(t, failed.Err, "OCSP stapling", "no route")
		assert.Equal(t, failed.StapledUntil.Unix(), s.leaf.Cert.NotBefore.Add(2*time.Hour).Unix())

		s.good(time.Hour)
		s.pass(time.Hour) // the longest wait between attempts
		assert.True(t, len(s.r.Current().Staple()) > 0, "recovered")
	})
}

func TestStapleOnlyGood(t *testing.T) {
	inStaplingBubble(t, func(s *stapling) {
		old, err := s.respond()
		assert.NoError(t, err)
		s.answers(func() ([]byte, error) {
			return answer{edit: func(r *ocsp.Response) {
				revokedAnswer(r)
				r.ThisUpdate = time.Now()
			}}.about(t, s.leaf.Cert, s.ca), nil
		})
		s.pass(30 * time.Minute)
		s.expect(2, false, "revoked")
		s.kinds("tlsx.Stapled", "tlsx.CertificateRevoked")
		assert.Contains(t, s.rec.text(), "is revoked", "superseded")
		s.pass(time.Hour)
		s.expect(3, false, "still revoked: said once")
		s.kinds("tlsx.Stapled", "tlsx.CertificateRevoked")

		// An older good response, replayed, changes nothing.
		s.answers(func() ([]byte, error) { return old, nil })
		s.pass(time.Hour)
		s.expect(4, false, "replayed")
		assert.True(t, s.has("tlsx.StapleFailed"))

		// Neither does one that does not verify, or says unknown.
		s.answers(func() ([]byte, error) {
			return answer{by: s.ca.Issue(t, certtest.Client)}.about(t, s.leaf.Cert, s.ca), nil
		})
		s.pass(time.Minute)
		s.expect(5, false, "wrong EKU")
		s.answers(func() ([]byte, error) {
			return answer{edit: func(r *ocsp.Response) { r.Status, r.ThisUpdate = ocsp.Unknown, time.Now() }}.about(t, s.leaf.Cert, s.ca), nil
		})
		s.pass(2 * time.Minute)
		s.expect(6, false, "unknown")
	})
}

// Another certificate starts anew, and its response is its own.
func TestStapleFollowsCertificate(t *testing.T) {
	inStaplingBubble(t, func(s *stapling) {
		next := newIssue(t, 1)
		s.ca, s.leaf = next.ca, next.leaf
		s.fail()
		next.write(t, s.dir)
		s.pass(11 * time.Second)
		assert.True(t, next.served(s.r.Current()))
		s.expect(2, false, "asked at once; the old response is not the new certificate's")
		s.good(time.Hour)
		s.pass(time.Minute)
		s.expect(3, true, "stapled")

		// Another bundle with the same certificate keeps the response.
		staple := string(s.r.Current().Staple())
		more := issueOf(t, next.ca, next.leaf)
		more.data["ca.crt"] = append(more.data["ca.crt"], certtest.NewCA(t, "more").PEM()...)
		more.write(t, s.dir)
		s.pass(11 * time.Second)
		assert.Equal(t, len(s.r.Current().ClientCAs()), 2)
		assert.Equal(t, string(s.r.Current().Staple()), staple)
		s.expect(3, true, "not asked again")
	})
}

// A real responder over HTTP, named by the certificate; peers see the response.
func TestStapleOverHTTP(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	var leaf *certtest.Leaf
	var mode atomic.Int32
	responderOf := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch mode.Load() {
		case 1:
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return
		case 2:
			_, _ = w.Write(make([]byte, 65<<10))
			return
		case 3:
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		body, err := io.ReadAll(r.Body)
		request, parseErr := ocsp.ParseRequest(body)
		if err != nil || parseErr != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/ocsp-request" ||
			request.SerialNumber.Cmp(leaf.Cert.SerialNumber) != 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = w.Write(answer{}.about(t, leaf.Cert, ca))
	}))
	defer responderOf.Close()
	leaf = ca.Issue(t, certtest.Template{Edit: func(c *x509.Certificate) {
		c.OCSPServer = []string{"ldap://ignored.test/", responderOf.URL + "/ocsp"}
	}})
	dir := t.TempDir()
	issueOf(t, ca, leaf).write(t, dir)

	rec := newRecorder()
	r := newReloader(t, filesIn(dir), rec.options(tlsx.WithOCSPStapling(""))...)
	stop := start(t, r)
	rec.await(t, "tlsx.Stapled", 1)
	for _, v := range versions {
		_, cs, serverErr, clientErr := handshake(t, tlsx.ServerConfig(r), withVersion(plainClient(ca, ca.Issue(t, certtest.Client).TLS()), v))
		assert.NoError(t, serverErr)
		assert.NoError(t, clientErr)
		status, err := tlsx.VerifyOCSP(cs.OCSPResponse, leaf.Cert, ca.Cert, time.Now())
		assert.NoError(t, err)
		assert.Equal(t, status, "good")
	}
	stop()

	for m, want := range map[int32]string{1: "answered 302", 2: "more than 65536 bytes", 3: "answered 502"} {
		mode.Store(m)
		rec := newRecorder()
		stop := start(t, newReloader(t, filesIn(dir), rec.options(tlsx.WithOCSPStapling(responderOf.URL))...))
		failed, ok := rec.await(t, "tlsx.StapleFailed", 1).(tlsx.StapleFailed)
		assert.True(t, ok)
		assert.ErrorContains(t, failed.Err, want, responderOf.URL)
		stop()
	}
}

// What cannot succeed is said once and not tried again.
func TestStapleImpossible(t *testing.T) {
	ca := certtest.NewCA(t, "root")
	leaf := ca.Issue(t, certtest.Template{})
	dir := t.TempDir()
	issueOf(t, ca, leaf).write(t, dir)
	rec := newRecorder()
	stop := start(t, newReloader(t, filesIn(dir), rec.options(tlsx.WithOCSPStapling(""))...))
	failed, ok := rec.await(t, "tlsx.StapleFailed", 1).(tlsx.StapleFailed)
	assert.True(t, ok)
	assert.ErrorContains(t, failed.Err, "names no OCSP responder")
	stop()

	issueOf(t, certtest.NewCA(t, "other"), leaf).write(t, dir)
	rec = newRecorder()
	stop = start(t, newReloader(t, filesIn(dir), rec.options(tlsx.WithOCSPStapling("http://127.0.0.1:1/"))...))
	failed, ok = rec.await(t, "tlsx.StapleFailed", 1).(tlsx.StapleFailed)
	assert.True(t, ok)
	assert.ErrorContains(t, failed.Err, "issuer is not known", "append it to the chain")
	stop()

	for _, bad := range []string{"ocsp.test", "ldap://ocsp.test/", "http://", "%"} {
		_, err := tlsx.NewReloader(filesIn(dir), tlsx.WithOCSPStapling(bad))
		assert.ErrorContains(t, err, "is not an http or https URL")
	}
	assert.Equal(t, tlsx.WithOCSPStapling("http://a/").String(), `WithOCSPStapling("http://a/")`)
}
