"""Where the named SQL statements of the packages are."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Not named statements: what is applied once, bodies of functions, and a description for readers.
OTHER_FOLDERS, OTHER_FILES = {"migrations", "functions"}, {"schema.sql"}


def statement_files(folder: str) -> Iterator[Path]:
    """Files with named statements below a folder of the project, sorted by path."""
    for path in sorted((ROOT / folder).rglob("*.sql")):
        if path.parent.name not in OTHER_FOLDERS and path.name not in OTHER_FILES:
            yield path
