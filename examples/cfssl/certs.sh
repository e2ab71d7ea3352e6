#!/usr/bin/env bash
# Makes a CA, a server's and a client's certificate from the JSON files beside
# it, in examples/certs/cfssl or the directory that is given. Where they are made
# already, it renews the latter two. GRPCX names a built grpcx to use.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:-$here/../certs/cfssl}"
dir=$(cd "${1:-$here/../certs/cfssl}" && pwd)
grpcx=(go -C "$here/../../cmd/grpcx" run .)
[ -z "${GRPCX:-}" ] || grpcx=("$GRPCX")

if [ -e "$dir/server/tls.crt" ] && [ -e "$dir/client/tls.crt" ]; then
	exec "${grpcx[@]}" certs renew --force --ca "$dir/ca" "$dir/server" "$dir/client"
fi
[ -e "$dir/ca/ca.crt" ] || "${grpcx[@]}" certs init-ca --ca "$dir/ca" --cfssl-csr "$here/ca-csr.json"
for name in server client; do
	[ -e "$dir/$name/tls.crt" ] || "${grpcx[@]}" certs issue --ca "$dir/ca" --out "$dir/$name" --profile "$name" \
		--cfssl-csr "$here/$name-csr.json" --cfssl-config "$here/ca-config.json"
done
