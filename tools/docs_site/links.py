"""Links of pages: from where a file is in the repository to where it is on the site."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[2]
DOCS = PurePosixPath("docs")
PAGES_OF_ROOT = {
    PurePosixPath("README.md"): PurePosixPath("index.md"),
    PurePosixPath("CONTRIBUTING.md"): PurePosixPath("CONTRIBUTING.md"),
    PurePosixPath("CHANGELOG.md"): PurePosixPath("CHANGELOG.md"),
    PurePosixPath("SECURITY.md"): PurePosixPath("SECURITY.md"),
}
"""Pages beside the folder docs, by repository path: their paths on the site."""
FILES = PurePosixPath("files")
COPIED = tuple(map(PurePosixPath, ("schemas/examples", "schemas/generated", "schemas/released")))
"""Folders that the site holds a copy of, below FILES: readers of the contract open these files."""
LIST_OF_FOLDER = "index.md"

_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^()\s]+)\)")
_CODE = re.compile(r"(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)")
_OUTSIDE = re.compile(r"[a-z][a-z0-9+.-]*:|#|/", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Site:
    """Where files of the repository are for a reader of the site.

    `repository` is the address below which the repository's files can be read, such as
    `https://forge.example/orderflow/blob/main`; empty: a file that the site lacks gets no link.
    """

    root: Path = ROOT
    repository: str = ""

    def place_of(self, path: PurePosixPath) -> PurePosixPath | None:
        """Path on the site of a file or folder of the repository; None: the site lacks it."""
        if path in PAGES_OF_ROOT:
            return PAGES_OF_ROOT[path]
        if path == DOCS or path.is_relative_to(DOCS):
            return self._page(path)
        if any(path.is_relative_to(folder) for folder in COPIED):
            copy = FILES / path
            return copy / LIST_OF_FOLDER if (self.root / path).is_dir() else copy
        return None

    def rewrite(self, markdown: str, source: PurePosixPath) -> str:
        """The text of the page `source` (a repository path) with links that hold on the site.

        A link to what is not in the repository stays as it is, so that the build reports it.
        """
        return on_links(markdown, lambda link: self._rewritten(link, source))

    def _page(self, path: PurePosixPath) -> PurePosixPath:
        place = path.relative_to(DOCS)
        return place / "README.md" if (self.root / path / "README.md").is_file() else place

    def _rewritten(self, link: re.Match[str], source: PurePosixPath) -> str:
        target, mark, anchor = link["target"].partition("#")
        if _OUTSIDE.match(link["target"]):
            return link[0]
        path = PurePosixPath(normpath(str(source.parent / unquote(target))))
        if not (self.root / path).exists():
            return link[0]
        place = self.place_of(path)
        if place is None:
            return self._elsewhere(link, path, mark + anchor)
        start = self.place_of(source)
        assert start is not None, f"{source} is no page of the site"
        there = relpath(place, start.parent)
        return f"{link['image']}[{link['text']}]({there}{mark}{anchor})"

    def _elsewhere(self, link: re.Match[str], path: PurePosixPath, anchor: str) -> str:
        if self.repository:
            there = f"{self.repository.rstrip('/')}/{path}{anchor}"
            return f"{link['image']}[{link['text']}]({there})"
        text = link["text"]
        return text if str(path) in text else f"{text} (`{path}` in the repository)"


def on_links(markdown: str, change: Callable[[re.Match[str]], str]) -> str:
    """The text with each inline link and image replaced; code is left as it is."""
    return "".join(
        line if is_code else _on_links_of_line(line, change) for line, is_code in lines_of(markdown)
    )


def lines_of(markdown: str) -> Iterator[tuple[str, bool]]:
    """Lines with their ends, and whether each belongs to a fenced block of code."""
    fence = ""
    for line in markdown.splitlines(keepends=True):
        found = _FENCE.match(line)
        if fence:
            yield line, True
            if found and found[1].startswith(fence):
                fence = ""
        else:
            fence = found[1] if found else ""
            yield line, bool(found)


def _on_links_of_line(line: str, change: Callable[[re.Match[str]], str]) -> str:
    code = [match.span() for match in _CODE.finditer(line)]

    def is_in_code(at: int) -> bool:
        return any(start < at < end for start, end in code)

    return _LINK.sub(lambda m: m[0] if is_in_code(m.start()) else change(m), line)
