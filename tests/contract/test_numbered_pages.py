"""Numbers of scan rules and promises that code, tests and pages name are on their pages."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
RULE = r"\d+[a-z]?"


def texts() -> list[tuple[str, str]]:
    """Path and text of all Python files of services and tests, and of all pages."""
    paths = (
        *(ROOT / "services").rglob("*.py"),
        *(ROOT / "tests").rglob("*.py"),
        *DOCS.rglob("*.md"),
    )
    return [(str(path.relative_to(ROOT)), path.read_text("utf-8")) for path in paths]


def rules_named(text: str) -> set[str]:
    """The numbers in "rule 5b", "rules 16 and 17", "rules 4 to 7"; of a range its ends."""
    groups = re.findall(rf"\b[Rr]ules? ({RULE}(?:(?:, | and | to ){RULE})*)(?!\w)", text)
    return {number for group in groups for number in re.findall(RULE, group)}


def test_rule_numbers_are_read_from_sentences() -> None:
    assert rules_named("rule 5b; rules 4, 16 and 17; Rules 12 to 15.") == {
        "5b", "4", "16", "17", "12", "15",
    }  # fmt: skip


def test_scan_rules_that_are_named_are_on_the_page() -> None:
    page = (DOCS / "scan-rules.md").read_text("utf-8")
    defined = set(re.findall(rf"^\*\*Rule ({RULE})\.", page, re.MULTILINE))
    defined |= set(re.findall(rf"^\| ({RULE}) \|", page, re.MULTILINE))

    named = {(path, number) for path, text in texts() for number in rules_named(text)}

    assert {each for each in named if each[1] not in defined} == set()
    assert len(named) > len(defined)


def test_promises_p1_to_p9_are_on_the_page() -> None:
    page = (DOCS / "promises.md").read_text("utf-8")

    assert re.findall(r"^## (P\d):", page, re.MULTILINE) == [f"P{n}" for n in range(1, 10)]
