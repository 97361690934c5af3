"""Commands on the pages are those that the command line has, with the options that it has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from orderflow.main import app
from services.orders.messages.carriers.registry import TYPE_OF

ROOT = Path(__file__).resolve().parents[2]
MADE_UP = {"add-a-cli-command.md", "add-a-service.md"}
"""Recipes whose commands come with what they add."""
PAGES = [
    path
    for path in sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
    if path.parent.name != "decisions" and path.name not in MADE_UP
]


def commands_of(text: str) -> Iterator[list[str]]:
    """The words after `orderflow` of each command in a text, in a block or within a sentence."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in re.findall(r"^(?:\.venv/bin/)?orderflow (.*)$", block, re.MULTILINE):
            yield words_of(line)
    for line in re.findall(r"`(?:\.venv/bin/)?orderflow ([^`\n]+)`", text):
        yield words_of(line)


def words_of(line: str) -> list[str]:
    command = re.split(r" [|&<]| <<", line)[0]
    return shlex.split(command, comments=True)


def test_commands_are_found_in_blocks_and_in_sentences() -> None:
    text = (
        "`orderflow keys list`\n```sh\n.venv/bin/orderflow send - <<'E' # a\norderflow up &\n```\n"
    )

    assert sorted(commands_of(text)) == [["keys", "list"], ["send", "-"], ["up"]]


def flaw_of(words: list[str]) -> str | None:
    """The first word that the command line does not know; None where it knows all."""
    found = typer.main.get_command(app)
    rest = list(words)
    # A group may have options of its own, as `orderflow report` has.
    while (known := getattr(found, "commands", None)) is not None:
        if not rest or rest[0].startswith("--"):
            break
        name = rest.pop(0)
        if (below := found.get_command(None, name)) is None:  # type: ignore[attr-defined]
            return f"{name}: not one of {sorted(known)}"
        found = below
    options = {
        "--help",
        *(name for each in found.params for name in each.opts + each.secondary_opts),
    }
    return next((each for each in rest if each.startswith("--") and each not in options), None)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_of_a_page_exist(path: Path) -> None:
    flaws = {
        " ".join(words): flaw
        for words in commands_of(path.read_text("utf-8"))
        if (flaw := flaw_of(words)) is not None
    }

    assert flaws == {}


@pytest.mark.parametrize(
    ("command", "option"), [(["keys", "add"], "--carrier"), (["carriers", "reread"], "--dialect")]
)
def test_forms_that_commands_of_pages_name_exist(command: list[str], option: str) -> None:
    named = {
        words[words.index(option) + 1]
        for path in PAGES
        for words in commands_of(path.read_text("utf-8"))
        if words[: len(command)] == command and option in words
    }

    assert named <= set(TYPE_OF)
