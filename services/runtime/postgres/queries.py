"""SQL statements in `.sql` files, by name.

A file holds blocks: a line `-- name: lock_orders`, comment lines that explain the statement and its
parameters `$n`, and the statement.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

_NAME = re.compile(r"^--\s*name:\s*(?P<name>\S*)\s*$", re.MULTILINE)
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")
_COMMENT_LINE = re.compile(r"^\s*--.*$", re.MULTILINE)


class QueryFileError(Exception):
    """A .sql file cannot be loaded; the text names the file and the block."""


def load(path: Path) -> Mapping[str, str]:
    """Load the statements of one .sql file or of all in a folder, by name.

    The first line of each statement is its name as a comment, which shows in Postgres' logs.

    Raises:
        QueryFileError: a file is missing, a name is missing or repeated, or a block is empty.
    """
    files = sorted(path.glob("*.sql")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise QueryFileError(f"{path}: no .sql file here")
    found: dict[str, str] = {}
    for file in files:
        for name, statement in _blocks(file):
            if name in found:
                raise QueryFileError(f"{file}: the name {name!r} is given twice")
            found[name] = statement
    return MappingProxyType(found)


def affected_rows(status: str) -> int:
    """The number of rows in the status that a statement returns, such as `DELETE 3`."""
    return int(status.rsplit(" ", 1)[-1])


def _blocks(file: Path) -> list[tuple[str, str]]:
    text = file.read_text(encoding="utf-8")
    marks = list(_NAME.finditer(text))
    head = text[: marks[0].start()] if marks else text
    if _COMMENT_LINE.sub("", head).strip() or not marks:
        raise QueryFileError(f"{file}: every statement needs a line `-- name: …` above it")
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        (_checked_name(file, mark["name"]), _statement(file, mark["name"], text[mark.end() : end]))
        for mark, end in zip(marks, ends, strict=True)
    ]


def _checked_name(file: Path, name: str) -> str:
    if not _IDENTIFIER.fullmatch(name):
        raise QueryFileError(f"{file}: {name!r} is no name: use lower case, digits and _")
    return name


def _statement(file: Path, name: str, body: str) -> str:
    statement = body.strip().rstrip(";").strip()
    if not _COMMENT_LINE.sub("", statement).strip():
        raise QueryFileError(f"{file}: {name!r} has no statement under it")
    return f"-- {name}\n{statement}"
