"""What is in the image (SBOM): packages of Python and of Debian, in the form of CycloneDX 1.6."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.container.store import ImageError, Store

_PATHS = "import json, sys; json.dump(sys.path, sys.stdout)"
_FIELDS = "${db:Status-Abbrev}\\t${Package}\\t${Version}\\t${Architecture}\\n"


def write(store: Store, image: str, file: Path) -> None:
    """Write the SBOM of an image. Raises ImageError where it cannot be made."""
    config = store.config(image)
    with store.mounted(image) as root:
        found = _of_python(root)
        found["components"] = [*found["components"], *_of_debian(root)]
    found["metadata"]["component"] = {
        "type": "container",
        "bom-ref": "image",
        "name": "orderflow",
        "version": config.labels["org.opencontainers.image.version"],
    }
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _of_python(root: Path) -> dict[str, Any]:
    """cyclonedx-py reads the folders that an interpreter names; ours names those of the image."""
    program = Path(sys.executable).with_name("cyclonedx-py")
    if not program.exists():
        raise ImageError("cyclonedx-bom is not installed: make .venv/.operations")
    with tempfile.TemporaryDirectory() as folder:
        interpreter = Path(folder) / "python"
        paths = json.loads(_in_image(root, "/opt/orderflow/bin/python", "-I", "-c", _PATHS))
        places = json.dumps([f"{root}{path}" for path in paths if "site-packages" in path])
        interpreter.write_text(f"#!/bin/sh\ncat <<'E'\n{places}\nE\n", encoding="utf-8")
        interpreter.chmod(0o755)
        answer = subprocess.run(
            [program, "environment", "--spec-version", "1.6", "--output-reproducible", interpreter],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if answer.returncode != 0:
        raise ImageError(f"cyclonedx-py failed: {answer.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def _of_debian(root: Path) -> list[Mapping[str, str]]:
    release = dict(
        line.replace('"', "").split("=", 1)
        for line in (root / "etc/os-release").read_text("utf-8").splitlines()
        if "=" in line
    )
    distribution = f"{release['ID']}-{release['VERSION_ID']}"
    rows = [
        line.split("\t") for line in _in_image(root, "dpkg-query", "-W", "-f", _FIELDS).splitlines()
    ]
    return [
        {
            "type": "library",
            "bom-ref": f"deb:{name}:{architecture}",
            "name": name,
            "version": version,
            "purl": f"pkg:deb/debian/{name}@{version.replace(':', '%3A').replace('+', '%2B')}"
            f"?arch={architecture}&distro={distribution}",
        }
        for status, name, version, architecture in rows
        if status.startswith("ii")
    ]


def _in_image(root: Path, *command: str) -> str:
    answer = subprocess.run(["chroot", root, *command], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise ImageError(f"{command[0]} failed in the image: {answer.stderr.strip()}")
    return answer.stdout
