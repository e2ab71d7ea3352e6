package certscmd

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"
)

const (
	indexVersion = 1
	maxIndex     = 64 << 20
	// keepExpired is for how long an expired certificate stays in the index: a
	// clock may be wrong. After that nobody accepts it, so that it needs no
	// revocation. What was revoked stays for good.
	keepExpired = time.Hour
)

// An index is what an authority has issued and revoked.
type index struct {
	Version int `json:"version"`
	// CRLNumber is that of the last CRL.
	CRLNumber    int64     `json:"crl_number"`
	Certificates []*record `json:"certificates"`

	bySerial map[string]*record
}

// A record is one certificate.
type record struct {
	Serial   string      `json:"serial"`
	Name     string      `json:"name,omitempty"`
	Issued   time.Time   `json:"issued"`
	NotAfter time.Time   `json:"not_after"`
	Revoked  *revocation `json:"revoked,omitempty"`
}

func newRecord(cert *x509.Certificate, name string, issued time.Time) *record {
	return &record{Serial: serialText(cert.SerialNumber), Name: clean(name), Issued: issued.UTC(), NotAfter: cert.NotAfter.UTC()}
}

// A revocation is when and why.
type revocation struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// parseIndex reads an index strictly: what is lost from it can not be revoked.
func parseIndex(data []byte) (*index, error) {
	x := new(index)
	if err := decodeJSON(data, x); err != nil {
		return nil, fmt.Errorf("%w; restore the file from a backup", err)
	}
	if x.Version != indexVersion {
		return nil, fmt.Errorf("has version %d, this program knows %d; use the program that wrote it", x.Version, indexVersion)
	}
	if x.CRLNumber < 0 {
		return nil, errors.New("has a negative crl_number; restore the file from a backup")
	}
	x.bySerial = make(map[string]*record, len(x.Certificates))
	for i, r := range x.Certificates {
		if r == nil {
			return nil, fmt.Errorf("certificate %d is null; restore the file from a backup", i+1)
		}
		n, err := parseSerial(r.Serial)
		if err != nil || serialText(n) != r.Serial || x.bySerial[r.Serial] != nil {
			return nil, fmt.Errorf("certificate %d has a serial number that is malformed or there twice; restore the file from a backup", i+1)
		}
		if r.Revoked != nil {
			if _, err := reasonCode(r.Revoked.Reason); err != nil {
				return nil, fmt.Errorf("certificate %d: %w", i+1, err)
			}
		}
		x.bySerial[r.Serial] = r
	}
	return x, nil
}

func newIndex() *index { return &index{Version: indexVersion, bySerial: map[string]*record{}} }

func (x *index) find(serial *big.Int) *record { return x.bySerial[serialText(serial)] }

func (x *index) add(r *record) {
	x.Certificates = append(x.Certificates, r)
	x.bySerial[r.Serial] = r
}

// prune forgets certificates that expired unrevoked.
func (x *index) prune(now time.Time) {
	kept := x.Certificates[:0]
	for _, r := range x.Certificates {
		if r.Revoked == nil && now.After(r.NotAfter.Add(keepExpired)) {
			delete(x.bySerial, r.Serial)
			continue
		}
		kept = append(kept, r)
	}
	clear(x.Certificates[len(kept):])
	x.Certificates = kept
}

func (x *index) encode() ([]byte, error) {
	if x.Certificates == nil {
		x.Certificates = []*record{}
	}
	data, err := json.MarshalIndent(x, "", " ")
	return append(data, '\n'), err
}

// decodeJSON reads one document without unknown fields.
func decodeJSON(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return explainJSON(err, data)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("has data after the JSON document; remove it")
	}
	return nil
}

func explainJSON(err error, data []byte) error {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("is not valid JSON at line %d (%s)", lineAt(data, e.Offset), clean(e.Error()))
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("line %d: field %q must be a %s, not a %s", lineAt(data, e.Offset), clean(e.Field), kindName(e.Type.Kind()), clean(e.Value))
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("is not valid JSON: it ends early")
	}
	text := clean(strings.TrimPrefix(err.Error(), "json: "))
	if field, ok := strings.CutPrefix(text, "unknown field "); ok {
		return fmt.Errorf("the field %s is not supported; remove it", field)
	}
	return errors.New(text)
}

func lineAt(data []byte, offset int64) int {
	return bytes.Count(data[:min(max(offset, 0), int64(len(data)))], []byte("\n")) + 1
}
