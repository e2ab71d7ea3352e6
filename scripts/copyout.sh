#!/usr/bin/env bash
# Proves that copying an example works: each one becomes a new module in a
# directory of its own and is compiled there against this checkout. The replace
# lines stand for the releases that a user would get.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cd "$root/examples"
mains=$(go list -f '{{if eq .Name "main"}}{{.Dir}}{{end}}' ./...)
[ -n "$mains" ] || { echo "examples holds no main package" >&2; exit 1; }
for dir in $mains; do
	name=${dir#"$root/examples/"}
	echo "== copied out: $name"
	copy=$tmp/$name
	mkdir -p "$copy"
	cp "$dir"/*.go "$copy"
	cd "$copy"
	go mod init "example.com/$name" 2>/dev/null
	go mod edit -replace "github.com/grpcx-go/sdk=$root" -replace "github.com/grpcx-go/sdk/examples=$root/examples" \
		-replace "github.com/grpcx-go/sdk/otlpx=$root/otlpx" -replace "github.com/grpcx-go/sdk/promx=$root/promx"
	go mod tidy 2>/dev/null || go mod tidy
	go vet . # the tests of examples link and run the same code
	if find . -name '*_test.go' | grep -q .; then go test .; fi
done
