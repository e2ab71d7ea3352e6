package certscmd

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const maxBatch = 10_000

// parseBatch reads many requests from a file, by the ending of its name.
func parseBatch(path string, data []byte, defaults entry) ([]request, error) {
	var entries []entry
	var err error
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml":
		entries, err = parseYAML(data)
	case ".csv":
		entries, err = parseCSV(data)
	default:
		err = errors.New("is neither .yaml, .yml nor .csv; name it as what it is")
	}
	if err != nil {
		return nil, err
	}
	return checkBatch(entries, defaults)
}

// checkBatch checks all entries and reports the first few that are wrong.
func checkBatch(entries []entry, defaults entry) ([]request, error) {
	switch {
	case len(entries) == 0:
		return nil, errors.New("lists no certificate; add one")
	case len(entries) > maxBatch:
		return nil, fmt.Errorf("lists %d certificates; split it into files of at most %d", len(entries), maxBatch)
	}
	var p problems
	seen := map[string]bool{}
	requests := make([]request, 0, len(entries))
	for i, e := range entries {
		r, err := e.or(defaults).request()
		folded := strings.ToLower(e.Name) // some file systems do not tell them apart
		switch {
		case !validName(e.Name):
			err = fmt.Errorf("name %q cannot name a directory; use letters, digits, dots, dashes and underscores", clean(e.Name))
		case seen[folded]:
			err = fmt.Errorf("name %q is there twice; names are directories, make them unique", clean(e.Name))
		}
		seen[folded] = true
		if err != nil {
			p.addf("certificate %d (%s): %v", i+1, clean(e.Name), err)
		}
		requests = append(requests, r)
	}
	return requests, p.few()
}

// parseYAML reads {defaults: {...}, certificates: [{...}, ...]}.
func parseYAML(data []byte) ([]entry, error) {
	var batch struct {
		Defaults     entry   `yaml:"defaults"`
		Certificates []entry `yaml:"certificates"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&batch); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, fmt.Errorf("is not valid YAML of certificates (%s); see the example in the help", yamlText(err))
	}
	var more yaml.Node
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("has more than one YAML document; keep one")
	}
	d := batch.Defaults
	if d.Name != "" || d.CommonName != "" || d.SPIFFE != "" || len(d.DNS)+len(d.IP)+len(d.URI) > 0 {
		return nil, errors.New("defaults may hold profile, lifetime and key only; give names to each certificate")
	}
	for i := range batch.Certificates {
		batch.Certificates[i] = batch.Certificates[i].or(d)
	}
	return batch.Certificates, nil
}

// yamlText makes one line of the parser's several.
func yamlText(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	text = strings.TrimPrefix(text, "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors: ")
	return clean(strings.ReplaceAll(text, " in type certscmd.entry", ""))
}

// columns are those of CSV; name must be there. A list is separated by blanks or
// semicolons.
var columns = []string{"name", "profile", "common_name", "dns", "ip", "uri", "spiffe", "lifetime", "key"}

// parseCSV reads a header and a row for each certificate.
func parseCSV(data []byte) ([]entry, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	r.Comment = '#'
	r.TrimLeadingSpace = true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, csvError(err)
	}
	for i, name := range header {
		header[i] = strings.TrimSpace(name)
		switch {
		case !slices.Contains(columns, header[i]):
			return nil, fmt.Errorf("column %q is unknown; use %s", clean(name), strings.Join(columns, ", "))
		case slices.Contains(header[:i], header[i]):
			return nil, fmt.Errorf("column %q is there twice; remove one", clean(name))
		}
	}
	if !slices.Contains(header, "name") {
		return nil, errors.New("has no column \"name\"; begin with a header such as name,profile,dns")
	}
	var entries []entry
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, csvError(err)
		}
		var e entry
		for i, value := range row {
			e.setColumn(header[i], strings.TrimSpace(value))
		}
		entries = append(entries, e)
	}
}

func csvError(err error) error {
	return fmt.Errorf("is not valid CSV (%s); quote fields that hold commas", clean(err.Error()))
}

func (e *entry) setColumn(column, value string) {
	list := func() []string {
		return strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ';' || r == '\t' })
	}
	switch column {
	case "name":
		e.Name = value
	case "profile":
		e.Profile = value
	case "common_name":
		e.CommonName = value
	case "dns":
		e.DNS = list()
	case "ip":
		e.IP = list()
	case "uri":
		e.URI = list()
	case "spiffe":
		e.SPIFFE = value
	case "lifetime":
		e.Lifetime = value
	case "key":
		e.Key = value
	}
}
