"""A base for the image from Debian's packages, where the official image of Python cannot be had."""

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from tools.container.store import FOLDER, ImageError, Store

RELEASE = "bookworm"
# As in the official image of Python: certificates, names of services, time zones, and the library
# of C++, which packages such as pyarrow need.
PACKAGES = (
    "usr-is-merged", "python3", "python3-venv", "ca-certificates", "netbase", "tzdata",
    "libstdc++6",
)  # fmt: skip
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_LEFT_OUT = ("man/*", "info/*", "locale/*", "doc/*")
_HOOKS = "/usr/share/mmdebstrap/hooks/maybe-merged-usr"
# Bytecode that is not bound to times of files, because the image sets those.
_COMPILE = (
    "python3 -m compileall -q -f --invalidation-mode unchecked-hash /usr/lib/python3"
    " /usr/lib/python3.11"
)
# Nothing of this machine stays: names of hosts, places of packages.
_CLEAN = (
    "rm -rf etc/apt/sources.list etc/apt/sources.list.d/* var/cache/debconf/* var/cache/ldconfig/*"
    " && find var/log -type f -delete"
    " && : > etc/resolv.conf && : > etc/hostname && : > etc/hosts"
)


def ensure_base(store: Store, epoch: int, *, refresh: bool = False) -> str:
    """The name of the base, made when it is not there, or again with `refresh`.

    `epoch` is the time of its files, seconds since 1970. Raises ImageError.
    """
    tag = _tag()
    if refresh or not store.has(tag):
        _make(store, tag, epoch)
    return tag


def sources(mirror: str | None) -> list[str]:
    """Lines of sources.list for the release: from a mirror, or the places this machine uses.

    Raises ImageError where neither is known.
    """
    if mirror:
        places = [
            (mirror, RELEASE),
            (mirror, f"{RELEASE}-updates"),
            (f"{mirror.rstrip('/')}-security", f"{RELEASE}-security"),
        ]
    else:
        places = _places_of_this_machine()
    if not places:
        raise ImageError(
            "apt knows no place of Debian's packages: run apt-get update, or set DEBIAN_MIRROR"
        )
    return [f"deb [signed-by={KEYRING}] {url} {release} main" for url, release in places]


def _tag() -> str:
    """One name for one list of packages made in one way."""
    recipe = (RELEASE, PACKAGES, _LEFT_OUT, _COMPILE, _CLEAN, platform.machine())
    return f"orderflow-base:{RELEASE}-{hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]}"


def _places_of_this_machine() -> list[tuple[str, str]]:
    here = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    answer = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)",
         "Created-By: Packages", "Origin: Debian", "Component: main"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    pairs = [line.split() for line in answer.stdout.splitlines()]
    return sorted(
        {(url, release.replace(here, RELEASE)) for url, release in pairs if here in release}
    )


def _make(store: Store, tag: str, epoch: int) -> None:
    if shutil.which("mmdebstrap") is None:
        raise ImageError(
            "mmdebstrap is not on PATH: apt-get install mmdebstrap, or name an image in BASE"
        )
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        archive = Path(folder) / "base.tar"
        _bootstrap(archive, epoch)
        container = store.run("from", "scratch")
        store.run("add", "--quiet", container, str(archive), "/")
        store.run("config", "--cmd", '["python3"]', container)
        store.run("commit", "--quiet", "--rm", "--timestamp", str(epoch), container, tag)


def _bootstrap(archive: Path, epoch: int) -> None:
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{place}" for place in _LEFT_OUT]
    answer = subprocess.run(
        [
            "mmdebstrap", "--quiet", "--mode=root", "--format=tar", "--variant=essential",
            f"--include={','.join(PACKAGES)}", f"--hook-dir={_HOOKS}",
            '--aptopt=APT::Install-Recommends "false"',
            *left_out, "--dpkgopt=path-include=/usr/share/doc/*/copyright",
            f'--customize-hook=chroot "$1" {_COMPILE}', f'--customize-hook=cd "$1" && {_CLEAN}',
            RELEASE, str(archive), "-",
        ],
        input="\n".join(sources(os.environ.get("DEBIAN_MIRROR"))) + "\n",
        capture_output=True, text=True, check=False,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
    )  # fmt: skip
    if answer.returncode != 0:
        raise ImageError("mmdebstrap failed:\n" + "\n".join(answer.stderr.splitlines()[-20:]))
