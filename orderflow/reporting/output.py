"""Where and in which format a report is written: the options that all reports share."""

import io
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from rich.measure import Measurement
from rich.table import Table

from orderflow.console.terminal import CommandError, PlainConsole, WrongArgument, err
from orderflow.reporting.columns import RowT, Sheet
from orderflow.reporting.files import to_csv, to_json_lines, write_parquet

WIDTH_MAX = 1000


class Format(StrEnum):
    """How a report is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


class Picture(StrEnum):
    """The endings of pictures."""

    PNG = ".png"
    SVG = ".svg"


_BY_ENDING = {
    "": Format.TABLE,
    ".txt": Format.TABLE,
    ".csv": Format.CSV,
    ".json": Format.JSON,
    ".jsonl": Format.JSON,
    ".parquet": Format.PARQUET,
}


def format_of(form: Format | None, file: Path | None, *, json: bool) -> Format:
    """The format that the options ask for.

    Raises:
        CommandError: the options contradict each other, or Parquet has no file.
        WrongArgument: the file's ending names no format.
    """
    if json and form not in (None, Format.JSON):
        raise CommandError(f"--json and --format {form} contradict each other: keep one")
    chosen = Format.JSON if json else form or _guess(file)
    if chosen is Format.PARQUET and file is None:
        raise CommandError("Parquet is no text for a terminal: name a file with --out FILE")
    return chosen


def _guess(file: Path | None) -> Format:
    ending = file.suffix.lower() if file else ""
    if ending not in _BY_ENDING:
        known = ", ".join(filter(None, _BY_ENDING))
        raise WrongArgument(f"{ending} names no format: end the file in {known}, or add --format")
    return _BY_ENDING[ending]


def write(sheet: Sheet[RowT], tables: Sequence[Table], form: Format, file: Path | None) -> None:
    """Write a report into a file, or to stdout without one; `tables` are for the table format.

    Raises:
        CommandError: the file cannot be written.
    """
    try:
        if form is Format.PARQUET and file:
            write_parquet(sheet, file)
        elif file:
            file.write_text(_text(sheet, tables, form), encoding="utf-8")
        elif form is Format.TABLE:
            _print_tables(tables)
        else:
            sys.stdout.write(_text(sheet, tables, form))
    except OSError as error:
        raise CommandError(f"cannot write {file or 'the report'}: {error.strerror}") from None
    if file:
        err.print(f"report: rows={len(sheet.rows)} file={file}", markup=False)


def _text(sheet: Sheet[RowT], tables: Sequence[Table], form: Format) -> str:
    if form is Format.CSV:
        return to_csv(sheet)
    if form is Format.JSON:
        return to_json_lines(sheet)
    text = io.StringIO()
    _print_tables(tables, text)
    return text.getvalue()


def _print_tables(tables: Sequence[Table], file: TextIO | None = None) -> None:
    """Never cropped: a figure cut in half reads like another one."""
    console = PlainConsole(file=file, highlight=False)
    unbounded = console.options.update(width=WIDTH_MAX)
    widths = (Measurement.get(console, unbounded, table).maximum for table in tables)
    console.width = max(console.width, *widths)
    for number, table in enumerate(tables):
        if number:
            console.print()
        console.print(table)
