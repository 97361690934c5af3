#!/usr/bin/env bash
# Installs the programs that `make operations-test` needs and that are no Python packages: Debian's
# by apt (as root; otherwise they must be there), Go's and npm's into .tools. What is there is kept.
set -euo pipefail
cd "$(dirname "$0")/.."

DEBIAN=(buildah mmdebstrap prometheus pgbouncer chromium maven default-jdk-headless)

fail() {
    printf 'operations: %s\n' "$*" >&2
    exit 1
}

install_debian() {
    local missing=() package
    for package in "${DEBIAN[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" = 0 ] || fail "these packages are missing: apt-get install ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

# Pinned with hashes by the go.sum beside each go.mod.
install_go() {
    local module
    command -v go >/dev/null || fail "go is not on PATH: install Go 1.24 or later"
    mkdir -p .tools/bin
    for module in deploy/tools/*/go.mod; do
        (cd "$(dirname "$module")" && GOBIN="$OLDPWD/.tools/bin" go install tool)
    done
}

# Tests install packages of npm themselves, as the locks beside them say.
check_node() {
    command -v node >/dev/null && command -v npm >/dev/null ||
        fail "node and npm are not on PATH: install Node 20 or later"
}

check_node
install_debian
install_go
