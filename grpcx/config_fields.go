package grpcx

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The config structs are described by their tags: json is the key in files and
// (in upper case) in the environment, negative says what a negative value
// means (absent: it is refused), doc is the line in docs/defaults.md.

type configField struct {
	value    reflect.Value
	name     string // Go name
	key      string // json key
	negative string
	doc      string
}

// fields yields the fields of the struct that cfg points to.
func fields(cfg any) iter.Seq[configField] {
	v := reflect.ValueOf(cfg).Elem()
	return func(yield func(configField) bool) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !yield(configField{v.Field(i), f.Name, f.Tag.Get("json"), f.Tag.Get("negative"), f.Tag.Get("doc")}) {
				return
			}
		}
	}
}

// merge copies the fields of src that are not zero into dst.
func merge[T any](dst *T, src T) {
	from := reflect.ValueOf(&src).Elem()
	for f := range fields(dst) {
		if v := from.FieldByName(f.name); !v.IsZero() {
			f.value.Set(v)
		}
	}
}

// complete gives zero fields their default and refuses negative ones where a
// negative value has no meaning.
func complete[T any](option string, cfg *T, defaults T) []error {
	var errs []error
	def := reflect.ValueOf(&defaults).Elem()
	for f := range fields(cfg) {
		if f.value.IsZero() {
			f.value.Set(def.FieldByName(f.name))
			continue
		}
		if f.value.CanInt() && f.value.Int() < 0 && f.negative == "" {
			errs = append(errs, optionErrorf(option, f.name,
				"is %s; it must be positive, or zero for the default of %s", f.text(), text(def.FieldByName(f.name))))
		}
	}
	return errs
}

var durationType = reflect.TypeFor[time.Duration]()

func (f configField) text() string { return text(f.value) }

// effective is the value as people read it: a negative one by its meaning.
func (f configField) effective() string {
	if f.value.CanInt() && f.value.Int() < 0 && f.negative != "" {
		return f.negative
	}
	return f.text()
}

func text(v reflect.Value) string {
	if v.Type() == durationType {
		return shortDuration(time.Duration(v.Int()))
	}
	return fmt.Sprint(v.Interface())
}

// shortDuration writes 30m0s as 30m.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// set parses text into the field.
func (f configField) set(text string) error {
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](f.value.Addr()); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch {
	case f.value.Type() == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration; write it with a unit, for example 5s or 250ms", text)
		}
		f.value.SetInt(int64(d))
	case f.value.Kind() == reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number; write it in digits, without a unit", text)
		}
		f.value.SetInt(int64(n))
	case f.value.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is not a boolean; write true or false", text)
		}
		f.value.SetBool(b)
	default:
		return errors.New("cannot be set from text")
	}
	return nil
}

func marshalConfig[T any](cfg T) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for f := range fields(&cfg) {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		v := f.value.Interface()
		if d, ok := v.(time.Duration); ok {
			v = d.String()
		}
		value, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", f.key, value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func unmarshalConfig[T any](data []byte, cfg *T) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	next := *cfg
	var errs []error
	for f := range fields(&next) {
		value, ok := raw[f.key]
		if !ok {
			continue
		}
		delete(raw, f.key)
		var s string
		if json.Unmarshal(value, &s) != nil {
			s = string(value) // a bare number or boolean
		}
		if err := f.set(s); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.key, err))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		errs = append(errs, fmt.Errorf("%s: there is no such key", key))
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	*cfg = next
	return nil
}
