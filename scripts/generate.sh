#!/usr/bin/env bash
# Rewrites everything that is generated: Go code from .proto files, through
# the plugins that `make tools` put on the PATH, and the golden files of every
# test package that has an -update flag.
set -euo pipefail

cd "$(dirname "$0")/.."
# Its version is written into the generated files.
want='libprotoc 3.21.12'

protos=$(find . -name .tmp -prune -o -name '*.proto' -print | LC_ALL=C sort)
if [ -n "$protos" ]; then
	have=$(protoc --version 2>/dev/null || echo 'no protoc')
	if [ "$have" != "$want" ]; then
		echo "found $have, want $want: install protobuf-compiler from Debian 12, or protoc 21.12 from the protobuf releases" >&2
		exit 1
	fi
	for proto in $protos; do
		echo "== $proto"
		(cd "$(dirname "$proto")" && protoc --go_out=. --go_opt=paths=source_relative \
			--go-grpc_out=. --go-grpc_opt=paths=source_relative "$(basename "$proto")")
	done
fi

# The tests that rewrite their golden file are those that look at *update, or
# call a function that does.
looking() { awk -v at="$1" '/^func / { split($2, f, "("); name = f[1] } name != at && index($0, at) { print name }' "${@:2}"; }
for dir in $(find . -name .tmp -prune -o -name '*_test.go' -print | xargs grep -l 'flag.Bool("update"' | xargs -rn 1 dirname | LC_ALL=C sort -u); do
	tests=$(for f in $(looking '*update' "$dir"/*_test.go); do
		case $f in Test*) echo "$f" ;; *) looking "$f(" "$dir"/*_test.go | grep '^Test' ;; esac
	done | sort -u | paste -sd '|' -)
	echo "== $dir: $tests"
	(cd "$dir" && go test -count=1 -run "^($tests)\$" . -update)
done
