"""Images in the folder .image of the checkout, by Debian's buildah."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / ".image"
DRIVERS = ("overlay", "vfs")


class ImageError(Exception):
    """The image cannot be built or read; the message says why and the way out."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of an image."""

    digest: str
    size: int
    """Bytes, as stored: compressed in an archive."""


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What an image says of how it is run, from its OCI configuration."""

    entrypoint: Sequence[str]
    command: Sequence[str]
    environment: Mapping[str, str]
    user: str
    working_folder: str
    stop_signal: str
    labels: Mapping[str, str]
    healthcheck: Mapping[str, Any]
    history: Sequence[str]
    """The instruction of each layer."""
    layers: Sequence[str]
    """Digests of the layers, uncompressed."""


class Store:
    """The images of this checkout. Every method raises ImageError where buildah fails."""

    def __init__(self, driver: str, folder: Path = FOLDER) -> None:
        self._options = [
            "--root", str(folder / driver),
            "--runroot", str(folder / f"run-{driver}"),
            "--storage-driver", driver,
        ]  # fmt: skip

    @classmethod
    def open(cls) -> Self:
        """The store with the driver of STORAGE_DRIVER, else the first that works here.

        overlay takes half of the time and disk of vfs, and needs a kernel that allows it.
        """
        if os.geteuid() != 0:
            raise ImageError("this needs root, to change into the file system of the image")
        if shutil.which("buildah") is None:
            raise ImageError("buildah is not on PATH: apt-get install buildah")
        named = os.environ.get("STORAGE_DRIVER")
        for driver in [named] if named else DRIVERS:
            store = cls(driver)
            if store._call(["info"], check=False).returncode == 0:
                return store
        raise ImageError(f"buildah cannot store images here with {named or ' nor '.join(DRIVERS)}")

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        """Run buildah with arguments; its standard output, without the last line break."""
        return self._call(arguments, environment=environment).stdout.strip()

    def has(self, image: str) -> bool:
        """Whether an image of this name is stored."""
        answer = self._call(["inspect", "--type", "image", image], check=False)
        return answer.returncode == 0

    def config(self, image: str) -> ImageConfig:
        """What the image says of how it is run."""
        found = json.loads(self.run("inspect", "--type", "image", image))
        oci, docker = found["OCIv1"], found["Docker"]
        said = oci["config"]
        return ImageConfig(
            entrypoint=said.get("Entrypoint") or [],
            command=said.get("Cmd") or [],
            environment=dict(pair.split("=", 1) for pair in said.get("Env") or []),
            user=said.get("User", ""),
            working_folder=said.get("WorkingDir") or "/",
            stop_signal=said.get("StopSignal") or "SIGTERM",
            labels=said.get("Labels") or {},
            healthcheck=docker["config"].get("Healthcheck") or {},
            history=[each.get("created_by", "") for each in oci.get("history") or []],
            layers=oci["rootfs"]["diff_ids"],
        )

    def text(self, image: str) -> str:
        """All that is stored of an image beside its files: configuration, history, manifest."""
        return self.run("inspect", "--type", "image", image)

    @contextmanager
    def mounted(self, image: str) -> Iterator[Path]:
        """The file system of an image. What is written to it is thrown away at the end."""
        container = self.run("from", "--pull-never", image)
        try:
            yield Path(self.run("mount", container))
        finally:
            self.run("umount", container)
            self.run("rm", container)

    def _call(
        self,
        arguments: Sequence[str],
        *,
        check: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        answer = subprocess.run(
            ["buildah", *self._options, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **(environment or {})},
        )
        if check and answer.returncode != 0:
            lines = (answer.stdout + answer.stderr).strip().splitlines()[-30:]
            raise ImageError(f"buildah {arguments[0]} failed:\n" + "\n".join(lines))
        return answer
