"""The navigation of the site: the entries of mkdocs.yml, with patterns expanded to pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Entry = Any
"""As in mkdocs.yml: a path below docs/, a pattern of paths, or {title: path or list of entries}."""


def expanded(nav: Sequence[Entry], docs: Path) -> list[Entry]:
    """The entries with each pattern (`decisions/*.md`) replaced by the pages that match it and that
    no other entry names, in the order of their names. A page is shown by its first heading.
    """
    named = {path for path in paths_of(nav) if "*" not in path}
    return [each for entry in nav for each in _expanded(entry, docs, named)]


def paths_of(nav: Sequence[Entry]) -> Iterator[str]:
    """Every path and pattern of the entries."""
    for entry in nav:
        if isinstance(entry, dict):
            for below in entry.values():
                yield from paths_of(below if isinstance(below, list) else [below])
        else:
            yield entry


def _expanded(entry: Entry, docs: Path, named: set[str]) -> Iterator[Entry]:
    if isinstance(entry, dict):
        yield {
            title: [each for one in below for each in _expanded(one, docs, named)]
            if isinstance(below, list)
            else below
            for title, below in entry.items()
        }
    elif "*" in entry:
        for page in sorted(docs.glob(entry)):
            path = page.relative_to(docs).as_posix()
            if path not in named:
                yield {_heading(page): path}
    else:
        yield entry


def _heading(page: Path) -> str:
    return page.read_text("utf-8").partition("\n")[0].removeprefix("# ")
