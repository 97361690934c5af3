"""Chromium without a screen: what a page becomes, and which addresses it asks for."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SECONDS = 60
_NO_ORIGIN = "not an origin"
SETTLED_MS = 15_000
"""Time of the page, not of the clock: Chromium advances it while nothing is left to be done."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A page that was opened."""

    html: str
    """Its elements after its programs have run."""
    requested: frozenset[str]
    """Addresses of all it loaded or tried to load, those below `file:` left out."""


def visit(address: str, folder: Path) -> Visit:
    """Open a page of a disk in a browser that has no network; `folder` takes its files.

    Raises:
        subprocess.SubprocessError: the browser failed, or did not end within 60 seconds.
    """
    log = folder / "net-log.json"
    arguments = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--disable-background-networking", "--disable-component-update", "--no-first-run",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}",
        f"--log-net-log={log}", f"--virtual-time-budget={SETTLED_MS}", "--dump-dom", address,
    ]  # fmt: skip
    done = subprocess.run(arguments, capture_output=True, check=True, timeout=SECONDS)
    return Visit(done.stdout.decode("utf-8"), frozenset(_requested(log)))


def _requested(log: Path) -> Iterator[str]:
    """Addresses that pages asked for, by the browser's own record of its requests. What the browser
    asks for itself (updates, dictionaries) has no origin.
    """
    for event in json.loads(log.read_text("utf-8"))["events"]:
        asked = event.get("params", {})
        is_of_page = asked.get("initiator", _NO_ORIGIN) != _NO_ORIGIN
        if is_of_page and not asked["url"].startswith(("file:", "data:", "blob:")):
            yield asked["url"]
