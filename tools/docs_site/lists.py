"""Lists of pages: from how forges read them (CommonMark) to how Python-Markdown reads them.

A forge begins a list without an empty line before it, and takes two spaces as the indentation of
what belongs to an item; Python-Markdown wants an empty line and four spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

STEP = 4
"""Spaces by which Python-Markdown indents what belongs to an item."""
_PARSER = MarkdownIt("commonmark").enable("table")
_MARKER = re.compile(r"(?P<before>\s*)(?P<marker>[-*+]|\d+[.)])(?P<after>\s+|$)")


@dataclass(frozen=True, slots=True)
class _Item:
    """An item of a list: its lines (`end` is the first one after it) and where its text begins."""

    start: int
    end: int
    indent: int
    """Column of the text, in the source."""


def for_python_markdown(markdown: str) -> str:
    """The text with its lists written as Python-Markdown wants them; all else is left as it is."""
    lines = markdown.splitlines()
    tokens = _PARSER.parse(markdown)
    items = list(_items(tokens, lines))
    apart = {*_outer_lists(tokens), *_after_loose_items(items, lines)}
    return "\n".join(_written(lines, items, apart)) + "\n"


def _items(tokens: Sequence[Token], lines: Sequence[str]) -> Iterator[_Item]:
    for token in tokens:
        if token.type == "list_item_open" and token.map:
            start, end = token.map
            yield _Item(start, end, _text_column(lines[start], token))


def _text_column(line: str, token: Token) -> int:
    """Column of the text of an item; several lists may begin on one line."""
    for found in _MARKER.finditer(line):
        if found["marker"].rstrip(".)") == (token.info or token.markup):
            return found.end() if found["after"] else found.end() + 1
    raise ValueError(f"no marker of a list in {line!r}")


def _outer_lists(tokens: Sequence[Token]) -> Iterator[int]:
    """First lines of the lists that lie in no other list."""
    for token in tokens:
        if (
            token.type in {"bullet_list_open", "ordered_list_open"}
            and not token.level
            and token.map
        ):
            yield token.map[0]


def _after_loose_items(items: Sequence[_Item], lines: Sequence[str]) -> Iterator[int]:
    """First lines of what follows an item of several paragraphs."""
    for item in items:
        if not all(line.strip() for line in lines[item.start : item.end]):
            yield item.end


def _written(
    lines: Sequence[str], items: Sequence[_Item], apart: AbstractSet[int]
) -> Iterator[str]:
    for number, line in enumerate(lines):
        around = [item for item in items if item.start <= number < item.end]
        if number in apart and number and lines[number - 1].strip():
            yield ""
        yield _line(line, number, around) if around else line


def _line(line: str, number: int, around: Sequence[_Item]) -> str:
    """A line within items, the outermost first; a marker fills the columns before its text."""
    if not line.strip():
        return ""
    inner = around[-1]
    if number != inner.start:
        blanks = len(line) - len(line.lstrip())
        return " " * STEP * len(around) + line[min(inner.indent, blanks) :]
    marker = line[: inner.indent].rsplit(maxsplit=1)[-1]
    return " " * STEP * (len(around) - 1) + marker.ljust(STEP) + line[inner.indent :].lstrip()
