package licences_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
	"github.com/grpcx-go/sdk/internal/release"
	"github.com/grpcx-go/sdk/internal/release/licences"
)

var update = flag.Bool("update", false, "rewrite docs/licences.md")

const page = "../../../docs/licences.md"

const intro = `# Licences

The SDK is under the [Apache License 2.0](../LICENSE). This is what its released modules compile into a program on Linux, macOS or Windows, beside Go's standard library (BSD-3-Clause); what only tests and tools use is not in it. The list is generated, by ` + "`make generate`" + `, and a test fails when it is out of date or holds a licence other than `

const after = `

Whoever ships a program ships the texts of these licences, and the NOTICE files, with it. [The bill of materials](releasing.md#bill-of-materials) says what is in a binary, with versions.

`

func released(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile("../modules.txt")
	assert.NoError(t, err)
	list, err := release.ParseList(data)
	assert.NoError(t, err)
	return list.Released()
}

// TestLicences holds what the released modules compile to the allowed licences
// and docs/licences.md to what they compile.
func TestLicences(t *testing.T) {
	t.Parallel()
	uses, err := licences.Scan(t.Context(), "../../..", released(t))
	assert.NoError(t, err)
	assert.NoError(t, licences.Check(uses))
	assert.True(t, slices.ContainsFunc(uses, func(u licences.Use) bool {
		return u.Module == "google.golang.org/grpc" && slices.Contains(u.Licences, "Apache-2.0") && slices.Contains(u.By, ".")
	}), "the SDK is known to need grpc")

	want := intro + strings.Join(licences.Allowed, ", ") + "." + after + licences.Render(uses)
	if *update {
		assert.NoError(t, os.WriteFile(page, []byte(want), 0o644))
		return
	}
	got, err := os.ReadFile(page)
	assert.NoError(t, err)
	if strings.ReplaceAll(string(got), "\r\n", "\n") != want {
		t.Errorf("docs/licences.md is out of date; review what changed, and run: cd internal/release && go test ./licences -update\nwant:\n%s", want)
	}
}

const mit = `Copyright 2026 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`

const isc = `Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
`

const sleepycatClause = "Redistributions in any form must be accompanied by information on how to obtain complete source code for the software and any accompanying software that uses the software. Whoever runs the software on more than one machine owes the author a crate of the finest wine, delivered before the first snow of every year, and shall name a child after him."

// public is the Unlicense, which asks for nothing, and which not every country
// knows how to read.
const public = `This is free and unencumbered software released into the public domain.

Anyone is free to copy, modify, publish, use, compile, sell, or distribute this software, either in source code form or as a compiled binary, for any purpose, commercial or non-commercial, and by any means.

In jurisdictions that recognize copyright laws, the author or authors of this software dedicate any and all copyright interest in the software to the public domain. We make this dedication for the benefit of the public at large and to the detriment of our heirs and successors. We intend this dedication to be an overt act of relinquishment in perpetuity of all present and future rights to this software under copyright law.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.

For more information, please refer to <http://unlicense.org/>
`

func TestFind(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		files  map[string]string
		want   []string
		notice bool
		err    string // of Find
		check  string // of Check
	}{
		"root":              {files: map[string]string{"LICENSE": mit}, want: []string{"MIT"}},
		"other names":       {files: map[string]string{"COPYING.md": mit, "Licence-ISC.txt": isc, "NOTICE.txt": "Made by us.\n"}, want: []string{"ISC", "MIT"}, notice: true},
		"two in a file":     {files: map[string]string{"LICENSE": mit + isc}, want: []string{"ISC", "MIT"}},
		"of the package":    {files: map[string]string{"LICENSE": mit, "sub/LICENSE": isc}, want: []string{"ISC", "MIT"}},
		"above it":          {files: map[string]string{"LICENSE": mit, "sub/deep/LICENSE": "Ask me first.\n"}, want: []string{"MIT"}},
		"of another one":    {files: map[string]string{"LICENSE": mit, "unused/LICENSE": "Ask me first.\n"}, want: []string{"MIT"}},
		"outside":           {files: map[string]string{"../LICENSE": mit}, check: "has no licence file"},
		"code about them":   {files: map[string]string{"license.go": "package used\n"}, check: "example.com/dep, compiled into ., cmd/x, has no licence file"},
		"unknown":           {files: map[string]string{"LICENSE": "Ask me first.\n"}, err: "known licences"},
		"one more clause":   {files: map[string]string{"LICENSE": isc + sleepycatClause}, err: "known licences [ISC]"},
		"allowed and not":   {files: map[string]string{"LICENSE": mit, "sub/COPYING": public}, check: "has the licence Unlicense, which is not allowed (Apache-2.0, BSD-2-Clause"},
		"unlicense by name": {files: map[string]string{"UNLICENSE": public}, check: "has the licence Unlicense"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := filepath.Join(t.TempDir(), "dep")
			write(t, root, "sub/s.go", "package sub\n")
			for file, text := range tt.files {
				write(t, root, file, text)
			}
			found, notice, err := licences.Find(root, []string{filepath.Join(root, "sub")})
			if tt.err != "" {
				assert.ErrorContains(t, err, "LICENSE: only", tt.err)
				return
			}
			assert.NoError(t, err)
			err = licences.Check([]licences.Use{{Module: "example.com/dep", Licences: found, By: []string{".", "cmd/x"}}})
			if tt.check != "" {
				assert.ErrorContains(t, err, tt.check)
				return
			}
			assert.NoError(t, err)
			assert.Equal(t, found, tt.want)
			assert.Equal(t, notice, tt.notice)
		})
	}
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, filepath.FromSlash(name))
	assert.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	assert.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}
