#!/usr/bin/env bash
# Installs what the tests need and a fresh Debian or Ubuntu with Go may lack:
# a C compiler for the race detector, QEMU for arm64, and openssl to hold
# certificates against. As root or with sudo; elsewhere it does nothing, and the
# step that misses something says so.
set -euo pipefail

missing=()
command -v make >/dev/null || missing+=(make)
command -v openssl >/dev/null || missing+=(openssl)
command -v gcc >/dev/null || missing+=(gcc libc6-dev)
[ "$(uname -m)" = aarch64 ] || command -v qemu-aarch64-static >/dev/null || missing+=(qemu-user-static)
if [ ${#missing[@]} -eq 0 ] || ! command -v apt-get >/dev/null; then
	exit 0
fi
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q
"${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
