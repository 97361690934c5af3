"""P7 (docs/promises.md): releases never change, and the gate command compares with all of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.gate import releases
from schemas.gate.__main__ import breaks
from schemas.gate.breaks import Rule, describe
from tests.contract.gate_cases import READ, WRITE

ROOT = Path(__file__).resolve().parents[2]
# A release never changes: not even together with its own digests.
MANIFESTS = {1: "29904a91086705a65fb9ef278034e3d3a2e5f5d0e4c70bd71ced865e044eafed"}


def test_current_contract_breaks_no_release():
    held, found = breaks()

    assert held >= 1
    assert list(describe(found)) == []


def test_release_is_never_changed():
    numbers = sorted(int(path.name) for path in releases.FOLDER.iterdir())
    found = {n: releases._digest(releases.FOLDER / str(n) / releases.MANIFEST) for n in numbers}

    assert found == MANIFESTS, "a new release is added here, with the digest of its manifest"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "json" / "order.place.v1.schema.json").write_text("{}"), "differs from"),
        (lambda f: (f / "examples" / "order.place" / "guest.json").unlink(), "is missing"),
        (lambda f: (f / "json" / "order.new.v1.schema.json").write_text("{}"), "was not in it"),
    ],
)
def test_release_with_a_changed_file_is_reported(tmp_path, spoil, words):
    shutil.copytree(releases.FOLDER, tmp_path / "released")
    spoil(tmp_path / "released" / "1")

    held, found = breaks(tmp_path / "released")

    assert held == 0
    assert [b.rule for b in found] == [Rule.RELEASE]
    assert words in found[0].fact


def test_release_manifest_holds_the_release_before(tmp_path, release, changed):
    folder = tmp_path / "released"
    shutil.copytree(releases.FOLDER / "1", folder / "1")

    releases.freeze(changed, "2026-03-01", folder)
    assert len(releases.load(folder)) == 2
    assert list(releases.changed_files(folder)) == []

    manifest = folder / "1" / releases.MANIFEST
    manifest.write_text(manifest.read_text("utf-8") + " ")
    assert [b.message for b in releases.changed_files(folder)] == ["release 1"]
    shutil.rmtree(folder / "1")
    with pytest.raises(ValueError, match="without a gap"):
        releases.load(folder)


@pytest.mark.parametrize(
    ("file", "before", "after", "words"),
    [
        (
            "schemas/orders.py",
            "order_name: Annotated[Reference | None, ",
            "display_name: Annotated[Reference | None, ",
            ("/order/order_name: member removed", READ, "keep the member beside the new one"),
        ),
        (
            "schemas/events.py",
            'shop_slug: Annotated[str, about("The shop", "demo-shop")]',
            'shop_slug: Annotated[str | None, about("The shop", "demo-shop")] = None',
            ("/shop_slug: member no longer always there", WRITE, "go on publishing it always"),
        ),
        (
            "docs/contract/reasons.md",
            "| `stale` |",
            "| `outdated` |",
            ("reason code changed", WRITE, "keep the code"),
        ),
        ("schemas/orders.py", 'about("The shop\'s id of the line"', 'about("Its line"', ()),
    ],
)
def test_gate_command_judges_the_current_models(tmp_path, file, before, after, words):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas", ignore=ignored)
    shutil.copytree(ROOT / "docs" / "contract", tmp_path / "docs" / "contract")
    text = (tmp_path / file).read_text("utf-8")
    assert before in text
    (tmp_path / file).write_text(text.replace(before, after), "utf-8")

    ran = subprocess.run(
        [sys.executable, "-m", "schemas.gate", "--check"],
        cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip

    assert ran.returncode == (1 if words else 0), ran.stderr
    assert [word for word in words if word not in ran.stderr] == []
    assert ran.stdout.startswith("gate: releases=")
