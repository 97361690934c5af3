"""The site of the pages: `python -m tools.docs_site`, called by `make docs`.

Needs Python alone. Where npm is on PATH, packages from it draw diagrams and the AsyncAPI and
OpenAPI documents; else a diagram is shown as its text, and the two pages say what is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.docs_site.links import ROOT

HERE = Path(__file__).parent
INSTALLED = ROOT / ".tools" / "docs_site"
LOCKED = ("package.json", "package-lock.json")
PACKAGES = "ORDERFLOW_SITE_PACKAGES"


def main() -> int:
    """Build the site into build/site; what does not resolve fails the build.

    Returns the exit code of mkdocs.
    """
    environment = {name: value for name, value in os.environ.items() if name != PACKAGES}
    # mkdocs-material prints an advertisement of its authors otherwise.
    environment |= {"NO_MKDOCS_2_WARNING": "true", "PYTHONPATH": str(ROOT)}
    if shutil.which("npm"):
        environment[PACKAGES] = str(install())
    else:
        print("docs: npm is not on PATH: no drawn diagrams, AsyncAPI and OpenAPI")  # noqa: T201
    arguments = [sys.executable, "-m", "mkdocs", "build", "--strict", *sys.argv[1:]]
    built = subprocess.run(arguments, cwd=ROOT, env=environment, check=False)
    if not built.returncode:
        print("docs: build/site/index.html")  # noqa: T201
    return built.returncode


def install() -> Path:
    """Install what package-lock.json pins, unless it is there; returns the folder node_modules."""
    packages = INSTALLED / "node_modules"
    if (packages / ".package-lock.json").is_file() and all(map(_is_current, LOCKED)):
        return packages
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in LOCKED:
        shutil.copyfile(HERE / name, INSTALLED / name)
    npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(npm, cwd=INSTALLED, check=True)
    return packages


def _is_current(name: str) -> bool:
    installed = INSTALLED / name
    return installed.is_file() and installed.read_bytes() == (HERE / name).read_bytes()


if __name__ == "__main__":
    sys.exit(main())
