#!/usr/bin/env bash
# Runs every fuzz target of the module in the working directory, one after the
# other, for the given time each (default 10s).
set -euo pipefail

fuzztime=${1:-10s}
# go test -list prints the names of a package first and then its summary line.
targets=$(go test -list '^Fuzz' ./... | awk '/^Fuzz/ { names[++n] = $1 } /^ok/ { for (i = 1; i <= n; i++) print $2, names[i]; n = 0 }')
[ -n "$targets" ] || exit 0
while read -r pkg name; do
	echo "== $pkg $name"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "$fuzztime" -fuzzminimizetime 10x "$pkg"
done <<<"$targets"
