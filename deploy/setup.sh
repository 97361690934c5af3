#!/usr/bin/env bash
# Makes .venv from requirements.lock: exactly what is pinned there, checked by hash. Needs Python
# 3.11 or later and a package index; run by `make setup`, which leaves it out when nothing changed.
set -euo pipefail
cd "$(dirname "$0")/.."

NEEDED_MB=1800

fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

say() {
    printf 'setup: %s\n' "$*"
}

find_python() {
    local name
    for name in ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3}; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    fail "no Python 3.11 or later on the PATH: install one, or name it: make setup PYTHON=/path/to/python3.11"
}

check_disk() {
    local free_mb
    free_mb=$(($(df -Pk . | awk 'NR == 2 { print $4 }') / 1024))
    if [ "$free_mb" -lt "$NEEDED_MB" ]; then
        fail "$free_mb MB are free here and the tools need $NEEDED_MB MB: make room, or use another disk"
    fi
}

make_venv() {
    "$1" -m venv .venv || fail "$1 cannot make virtual environments: install its venv module" \
        "(on Debian and Ubuntu: apt install python3-venv)"
}

# uv installs in seconds what takes pip a minute. It comes from the same lock, by the same hashes.
install_uv() {
    awk '/^[a-z]/ { wanted = /^uv==/ } wanted' requirements.lock > .venv/uv.lock
    .venv/bin/python -m pip install --quiet --disable-pip-version-check \
        --require-hashes -r .venv/uv.lock
}

install_all() {
    # A machine may have told only pip where its index is; then pip does it.
    VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip install --require-hashes -r requirements.lock ||
        .venv/bin/python -m pip install --disable-pip-version-check \
            --require-hashes -r requirements.lock
}

# Has builds for fewer machines than the rest, and only tests of TLS need it.
install_postgres_with_tls() {
    VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip install --quiet --require-hashes \
        -r requirements-tls.lock 2>/dev/null ||
        .venv/bin/python -m pip install --quiet --disable-pip-version-check \
            --require-hashes -r requirements-tls.lock 2>/dev/null
}

install_ourselves() {
    VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip install --quiet --offline \
        --no-deps --no-build-isolation --editable .
}

no_index="the package index could not be used (see above): connect to the network, or tell pip of a
       proxy (HTTPS_PROXY) or a mirror (PIP_INDEX_URL, UV_INDEX_URL), and run this again"

python=$(find_python)
check_disk
say "1/4 virtual environment with $("$python" --version)"
make_venv "$python"
say "2/4 installer"
install_uv || fail "$no_index"
say "3/4 packages"
install_all || fail "$no_index"
install_postgres_with_tls ||
    say "no Postgres with TLS could be installed here: the tests of it will be skipped"
say "4/4 orderflow itself"
install_ourselves
say "done"
