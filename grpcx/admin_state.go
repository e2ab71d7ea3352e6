package grpcx

import (
	"bytes"
	"encoding/json"
	"expvar"
	"fmt"
	"net/http"
)

// settingsPage serves the effective settings, which hold no secret.
func settingsPage(s *Server) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		data, err := json.MarshalIndent(s.Settings(), "", "  ")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		writeJSON(w, append(data, '\n'))
	}
}

// listVars serves what expvar.Handler does but for the command line, which may
// hold a password.
func listVars(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	b.WriteByte('{')
	sep := "\n"
	expvar.Do(func(v expvar.KeyValue) {
		if v.Key == "cmdline" {
			return
		}
		key, _ := json.Marshal(v.Key) // a string always encodes
		value := "null"
		if v.Value != nil {
			value = v.Value.String()
		}
		fmt.Fprintf(&b, "%s%s: %s", sep, key, value)
		sep = ",\n"
	})
	b.WriteString("\n}\n")
	writeJSON(w, b.Bytes())
}

func writeJSON(w http.ResponseWriter, data []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(data)
}
