"""A report as CSV, JSON lines or Parquet. Money stays exact in each: never a float."""

import csv
import io
from decimal import Decimal
from pathlib import Path

import orjson

from orderflow.reporting.columns import Column, ColumnKind, RowT, Sheet, Value, plain_amount

MONEY_DIGITS = 38
MONEY_PLACES = 4  # What the service keeps of an amount.
RATIO_DIGITS = 18
RATIO_PLACES = 2


def to_csv(sheet: Sheet[RowT]) -> str:
    """Comma-separated, with a header line; an empty field = unknown."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(column.name for column in sheet.columns)
    for row in sheet.rows:
        writer.writerow(_as_text(column, column.value(row)) for column in sheet.columns)
    return text.getvalue()


def to_json_lines(sheet: Sheet[RowT]) -> str:
    """One object a line and row; amounts and ratios are decimal numbers in strings."""
    lines = (
        orjson.dumps({column.name: _as_json(column, column.value(row)) for column in sheet.columns})
        for row in sheet.rows
    )
    return "".join(line.decode() + "\n" for line in lines)


def write_parquet(sheet: Sheet[RowT], path: Path) -> None:
    """One file, zstd; counts are int64, amounts decimal128(38, 4), ratios decimal128(18, 2)."""
    import pyarrow as pa
    from pyarrow import parquet

    types = {
        ColumnKind.TEXT: pa.string(),
        ColumnKind.COUNT: pa.int64(),
        ColumnKind.RATIO: pa.decimal128(RATIO_DIGITS, RATIO_PLACES),
        ColumnKind.MONEY: pa.decimal128(MONEY_DIGITS, MONEY_PLACES),
    }
    schema = pa.schema([(column.name, types[column.kind]) for column in sheet.columns])
    values = {column.name: [column.value(row) for row in sheet.rows] for column in sheet.columns}
    table = pa.table(values, schema=schema)
    parquet.write_table(table, path, compression="zstd")


def _as_text(column: Column[RowT], value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal) and column.kind is ColumnKind.MONEY:
        return plain_amount(value)
    return str(value)


def _as_json(column: Column[RowT], value: Value) -> str | int | None:
    return value if value is None or isinstance(value, int) else _as_text(column, value)
