"""Releases: each a folder of files that never change again, held together by their digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas import generate
from schemas.example_files import load_examples
from schemas.gate import probes
from schemas.gate.breaks import Break, Rule
from schemas.gate.contract import Contract
from schemas.gate.probes import Probe
from schemas.schema_ids import SUFFIX, schema_file

FOLDER = Path(__file__).resolve().parents[1] / "released"
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Release:
    """A frozen contract, and what its models made of variations of its examples."""

    number: int
    contract: Contract
    probes: tuple[Probe, ...]


def load(folder: Path = FOLDER) -> list[Release]:
    """Every release, oldest first.

    Raises:
        ValueError: there is none, or one between the first and the last is missing.
    """
    numbers = sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal())
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        raise ValueError(
            f"{folder} holds the releases {numbers}, and must hold 1, 2, … without a gap: "
            "take what is missing back from version control"
        )
    return [_read(folder / str(number), number) for number in numbers]


def _read(folder: Path, number: int) -> Release:
    schemas = {
        path.name.removesuffix(SUFFIX): json.loads(path.read_text("utf-8"))
        for path in sorted((folder / "json").glob(f"*{SUFFIX}"))
    }
    surface = json.loads((folder / "surface.json").read_text("utf-8"))
    contract = Contract(schemas, load_examples(folder=folder / "examples"), surface)
    return Release(number, contract, probes.read(folder / "probes.json"))


def changed_files(folder: Path = FOLDER) -> Iterator[Break]:
    """Files of a release that are not as they were released."""
    before = ""
    for number in sorted(int(p.name) for p in folder.iterdir() if p.name.isdecimal()):
        manifest = json.loads((folder / str(number) / MANIFEST).read_text("utf-8"))
        found = digests(folder / str(number))
        for name in sorted({*found, *manifest["files"]}):
            if found.get(name) != manifest["files"].get(name):
                yield _changed(number, name, _how(name, found, manifest["files"]))
        if manifest["previous"] != before:
            yield _changed(number - 1, MANIFEST, "differs from when the next one was released")
        before = _digest(folder / str(number) / MANIFEST)


def _how(name: str, found: dict[str, str], released: dict[str, str]) -> str:
    if name not in released:
        return "was not in it"
    return "differs from what was released" if name in found else "is missing"


def _changed(number: int, name: str, how: str) -> Break:
    whom = "everyone: what a release says is only worth something if it never changes"
    return Break(number, f"release {number}", f"/{name}", Rule.RELEASE, f"the file {how}", whom)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a release but its manifest, by its path in it."""
    return {
        str(path.relative_to(folder)): _digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }


def freeze(contract: Contract, day: str, folder: Path = FOLDER) -> Path:
    """Write a contract as the next release, and the digests that hold it; its folder."""
    folder.mkdir(exist_ok=True)
    number = 1 + sum(path.name.isdecimal() for path in folder.iterdir())
    target, last = folder / str(number), folder / str(number - 1) / MANIFEST
    for type_, schema in contract.schemas.items():
        _write(target / "json" / schema_file(type_), schema)
    for example in contract.examples:
        _write(target / "examples" / example.type / f"{example.case}.json", example.members())
    _write(target / "surface.json", contract.surface)
    (target / "probes.json").write_text(probes.lines(contract, generate.models()), "utf-8")
    manifest = {
        "release": number,
        "day": day,
        "previous": _digest(last) if last.exists() else "",
        "files": digests(target),
    }
    _write(target / MANIFEST, manifest)
    return target


def _write(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
