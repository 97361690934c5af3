#!/usr/bin/env bash
# Makes .venv from requirements.lock: exactly what is pinned there, checked by hash. Needs Python
# 3.11 or later and a package index; run by `make setup`, which leaves it out when nothing changed.
# PYTHON names the interpreter, VENV another folder for the environment (`make versions` uses both).
set -euo pipefail
cd "$(dirname "$0")/.."

NEEDED_MB=1800
venv=${VENV:-.venv}

fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

say() {
    printf 'setup: %s\n' "$*"
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# Debian and Ubuntu build theirs with a profile without saying --enable-optimizations; what they say
# is where they keep the wheels of pip.
is_optimised() {
    "$1" -c 'import sys, sysconfig
said = sysconfig.get_config_var("CONFIG_ARGS") or ""
signs = ("--enable-optimizations", "--with-wheel-pkg-dir=/usr/share/python-wheels")
sys.exit(not any(sign in said for sign in signs))' 2>/dev/null
}

# Without them no virtual environment with pip can be made: Debian has both in python3-venv.
can_make_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

# The first that was built with a profile (PGO); without one, the first that is new enough.
find_python() {
    local name first=""
    if [ -n "${PYTHON:-}" ]; then
        is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON is no Python 3.11 or later"
        command -v "$PYTHON"
        return
    fi
    for name in python3.11 python3.12 python3.13 python3.14 python3 \
        /usr/bin/python3.11 /usr/bin/python3.12 /usr/bin/python3.13 /usr/bin/python3.14; do
        is_new_enough "$name" && can_make_venv "$name" || continue
        if is_optimised "$name"; then
            command -v "$name"
            return
        fi
        first=${first:-$name}
    done
    [ -n "$first" ] || fail "no Python 3.11 or later with the modules venv and ensurepip" \
        "(on Debian and Ubuntu: apt install python3-venv):" \
        "install one, or name it: make setup PYTHON=/path/to/python3.11"
    command -v "$first"
}

say_how_it_was_built() {
    if is_optimised "$1"; then
        say "$1 was built with profile-guided optimisation"
    else
        say "$1 was built without profile-guided optimisation: about a quarter slower than one with it"
    fi
}

check_disk() {
    local free_mb
    free_mb=$(($(df -Pk . | awk 'NR == 2 { print $4 }') / 1024))
    if [ "$free_mb" -lt "$NEEDED_MB" ]; then
        fail "$free_mb MB are free here and the tools need $NEEDED_MB MB: make room, or use another disk"
    fi
}

base_of() {
    "$1" -c 'import os, sys; print(os.path.realpath(sys._base_executable))' 2>/dev/null
}

# One of another interpreter is made again: pip of one Python cannot be put over that of another.
make_venv() {
    if [ -d "$venv" ] && [ ! -f "$venv/pyvenv.cfg" ] && [ -n "$(ls -A "$venv")" ]; then
        fail "$venv is no virtual environment: name another folder in VENV"
    fi
    if [ -d "$venv" ] && [ "$(base_of "$venv/bin/python")" != "$(base_of "$1")" ]; then
        rm -rf "$venv"
    fi
    "$1" -m venv "$venv" || fail "$1 cannot make virtual environments: install its venv module" \
        "(on Debian and Ubuntu: apt install python3-venv)"
}

# uv installs in seconds what takes pip a minute. It comes from the same lock, by the same hashes.
install_uv() {
    awk '/^[a-z]/ { wanted = /^uv==/ } wanted' requirements.lock > "$venv/uv.lock"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --require-hashes -r "$venv/uv.lock"
}

install_all() {
    # The package index may be configured for pip only; then pip installs.
    VIRTUAL_ENV="$(realpath "$venv")" "$venv/bin/uv" pip install --require-hashes -r requirements.lock ||
        "$venv/bin/python" -m pip install --disable-pip-version-check \
            --require-hashes -r requirements.lock
}

# Has builds for fewer machines than the rest, and only tests of TLS need it.
install_postgres_with_tls() {
    VIRTUAL_ENV="$(realpath "$venv")" "$venv/bin/uv" pip install --quiet --require-hashes \
        -r requirements-tls.lock 2>/dev/null ||
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
            --require-hashes -r requirements-tls.lock 2>/dev/null
}

install_ourselves() {
    VIRTUAL_ENV="$(realpath "$venv")" "$venv/bin/uv" pip install --quiet --offline \
        --no-deps --no-build-isolation --editable .
}

no_index="the package index could not be used (see above): connect to the network, or configure a
       proxy (HTTPS_PROXY) or a mirror (PIP_INDEX_URL, UV_INDEX_URL), and run this again"

python=$(find_python)
check_disk
say "1/4 virtual environment with $("$python" --version)"
say_how_it_was_built "$python"
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
