"""`make image`: build the image of deploy/Dockerfile, and write what is in it to build/."""

import argparse
import ast
import configparser
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from tools.container import sbom
from tools.container.base import ensure_base
from tools.container.store import PROJECT, ImageError, Store

TAG = "orderflow:local"
SBOM = PROJECT / "build" / "sbom.cdx.json"
_PIP_OPTIONS = {
    "index-url", "extra-index-url", "trusted-host", "default-timeout", "retries", "proxy",
}  # fmt: skip


def main() -> int:
    """Build as the arguments say. Returns the exit status: 1 after an ImageError."""
    arguments = _arguments()
    try:
        _check_out(arguments.out)
        store = Store.open()
        build(store, arguments.tag, arguments.base, arguments.extras, refresh=arguments.refresh)
        if arguments.out:
            store.run("push", "--quiet", arguments.tag, arguments.out)
            sys.stdout.write(f"image: written to {arguments.out}\n")
        sbom.write(store, arguments.tag, SBOM)
    except ImageError as error:
        sys.stderr.write(f"image: {error}\n")
        return 1
    sys.stdout.write(f"image: {arguments.tag}; what is in it: {SBOM.relative_to(PROJECT)}\n")
    return 0


def build(
    store: Store,
    tag: str,
    base: str | None = None,
    extras: str = "",
    *,
    refresh: bool = False,
    take_layers: bool = True,
) -> None:
    """Build the image under a tag.

    `base` is an image to pull; without it the base is made of Debian's packages. `refresh` makes
    that again, with the packages of today. `extras` is the name of an extra of pyproject.toml.
    `take_layers`: take unchanged layers of earlier builds.
    Raises ImageError.
    """
    if extras and not (PROJECT / "deploy" / f"requirements-{extras}.lock").is_file():
        raise ImageError(f"EXTRAS={extras}: there is no deploy/requirements-{extras}.lock")
    epoch = commit_time()
    named = base or f"localhost/{ensure_base(store, epoch, refresh=refresh)}"
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    values = {"BASE": named, "EXTRAS": extras, "VERSION": version, "REVISION": revision()}
    with tempfile.TemporaryDirectory() as folder:
        store.run(
            "bud", "--isolation", "chroot", "--timestamp", str(epoch),
            "--layers", *([] if take_layers else ["--no-cache"]),
            "--format", "docker",  # The format of OCI has no health check.
            "--ignorefile", str(PROJECT / ".dockerignore"),
            "--file", str(PROJECT / "deploy" / "Dockerfile"), "--tag", tag,
            *[f"--build-arg={name}={value}" for name, value in values.items()],
            # buildah takes the layer of a LABEL with other values for the same.
            *[f"--label=org.opencontainers.image.{name.lower()}={values[name]}"
              for name in ("VERSION", "REVISION")],
            *_pip_secrets(Path(folder)), str(PROJECT),
        )  # fmt: skip


def _check_out(out: str | None) -> None:
    """Before the build: buildah would take another form for the address of a registry."""
    if out and not re.fullmatch("(oci|docker)-archive:.+", out):
        raise ImageError(f"OUT={out}: write oci-archive:FILE or docker-archive:FILE")


def commit_time() -> int:
    """SOURCE_DATE_EPOCH, else the time of the commit; seconds since 1970."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct"))


def revision() -> str:
    """The commit, with `-dirty` behind it where files were changed since."""
    return _git("rev-parse", "HEAD") + ("-dirty" if _git("status", "--porcelain") else "")


def _pip_secrets(folder: Path) -> list[str]:
    """Options that give the commands of the build this machine's configuration of pip.

    It is in no layer. Folders of packages (find-links) are left out: they are not in the build.
    """
    said = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    pairs = [line.split("=", 1) for line in said.splitlines()]
    options = {name.rpartition(".")[2]: ast.literal_eval(value) for name, value in pairs}
    config = configparser.RawConfigParser()
    config["global"] = {name: options[name] for name in sorted(_PIP_OPTIONS & set(options))}
    secrets = []
    if "cert" in options:
        config["global"]["cert"] = "/run/secrets/pip_cert"
        secrets.append(f"--secret=id=pip_cert,src={options['cert']}")
    file = folder / "pip.conf"
    with file.open("w", encoding="utf-8") as stream:
        config.write(stream)
    return [*secrets, f"--secret=id=pip_conf,src={file}"]


def _git(*arguments: str) -> str:
    answer = subprocess.run(
        ["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise ImageError(f"this is no checkout of git ({answer.stderr.strip()})")
    return answer.stdout.strip()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make image", description=__doc__)
    parser.add_argument("--tag", default=TAG)
    parser.add_argument("--base", help="an image to pull; without it Debian's packages are taken")
    parser.add_argument("--extras", default="", help="an extra of pyproject.toml, such as msk")
    parser.add_argument("--out", help="oci-archive:FILE or docker-archive:FILE, to push elsewhere")
    parser.add_argument("--refresh", action="store_true", help="make the base of today's packages")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
