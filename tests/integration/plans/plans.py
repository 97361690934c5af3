"""Statements on full tables: rows, parameters, and what a plan reads that it should not."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import cycle, islice
from typing import Any
from uuid import UUID

import asyncpg

from services import registry
from services.runtime.postgres.queries import load
from tests.statements import statement_files

ROWS = 100_000
# How many tables each function of ours reads: fewer, and some of its statements were not tried.
TABLES_WITHIN = {"lock_batch": 5, "lock_books": 2, "save_rows": 3, "find_older": 5}
READ_SO_FAR = """
SELECT relname, seq_scan, idx_scan, idx_tup_fetch
  FROM pg_stat_xact_user_tables WHERE schemaname = $1"""
KEYS = 500  # A full batch names about so many orders.
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

# ------------------------------------------------------------------------------------------- rows
BY_TYPE = {
    "uuid": "md5('k' || n)::uuid",
    "text": "'k' || n",
    "bigint": "n",
    "integer": "n",
    "smallint": "n % 16",
    "bytea": "convert_to('k' || n, 'UTF8')",
    "timestamp with time zone": "timestamptz '2026-01-01' + n * interval '1 second'",
    "date": "date '2026-01-01' + n % 365",
    "jsonb": """'{"filler": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}'""",
    "boolean": "false",
    "numeric": "n",
    "double precision": "n",
    "text[]": "ARRAY['k' || n]",
    "bigint[]": "ARRAY[n]",
    "uuid[]": "ARRAY[md5('k' || n)::uuid]",
    "bytea[]": "ARRAY[convert_to('k' || n, 'UTF8')]",
}
BY_COLUMN = {
    "shop": "'shop' || n % 100",
    "topic": "'topic' || n % 10",
    "partition": "n / 10 % 1000",
    "consumer_group": "'group' || n / 10000",
    "index": "0",
    "nth": "0",
    "slot": "n % 3",
    "segment": "n % 3",
    "day": "n % 9",
    "body_day": "n % 9",
    "destination.state": "'active'",
    "replay.stage": "'kept'",
    "shards": "NULL",
    "carried_by": "NULL",
    "deleted_at": "NULL",
    "stopped_kind": "NULL",
    "stopped_detail": "NULL",
    "stopped_at": "NULL",
    "on_time": "'on_time'",
    # As wide as messages are: how wide a row is decides what reading the table costs.
    "value": "convert_to(repeat(md5(n::text), 12), 'UTF8')",
    "values": "ARRAY[convert_to(repeat(md5(n::text), 12), 'UTF8')]",
    "packed": "NULL",  # Either these or arrays.
    "operator_act.act": "'rejected.resend'",
    "reference.kind": "'external_id'",
    "reference.value": "'k' || n",
    "parked.kind": "CASE n % 10 WHEN 0 THEN 'decision' ELSE 'behind' END",
    "order_copy.context": "NULL",  # Either this or a document.
    "claim.reason": "'damage'",
    "claim.status": "'pending'",
    "campaign_book.shop": "'shop' || n - 1",
    "campaign_published.shop": "'shop' || n - 1",
    "campaign_entry.kind": "'discount'",
    "campaign_review.after_id": "NULL",
    "api_key.id": "translate(lpad(n::text, 12, '0'), '0123456789', 'abcdefghij')",
    "api_key.kind": "'shop'",
    "api_key.revoked_at": "NULL",
}
# One row each, or as many as there are versions.
SMALL = {"migration", "outbox_shards", "rebuild"}


async def fill(
    connection: asyncpg.Connection, schema: str, tables: list[str], *, is_analysed: bool = True
) -> None:
    """100,000 rows in each table, and the statistics that autovacuum would have made of them."""
    await connection.execute(
        f"SET search_path = {schema}; SET synchronous_commit = off; "
        "SET session_replication_role = replica"
    )
    for table in tables:
        columns = await connection.fetch(
            """SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
                WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
                  AND attgenerated = ''""",
            table,
        )
        values = ", ".join(_value(table, column["name"], column["type"]) for column in columns)
        names = ", ".join(f'"{column["name"]}"' for column in columns)
        await connection.execute(
            f"INSERT INTO {table} ({names}) OVERRIDING SYSTEM VALUE "
            f"SELECT {values} FROM generate_series(1, {ROWS}) AS n"
        )
    if is_analysed:
        await connection.execute("ANALYZE " + ", ".join(tables))


def _value(table: str, column: str, type_: str) -> str:
    for found in (BY_COLUMN.get(f"{table}.{column}"), BY_COLUMN.get(column), BY_TYPE.get(type_)):
        if found is not None:
            return found
    raise AssertionError(
        f"say in BY_TYPE or BY_COLUMN what {table}.{column} ({type_}) is filled with"
    )


async def tables_of(connection: asyncpg.Connection, schema: str) -> list[str]:
    """The tables of a schema that grow; parts of a table are filled through it."""
    rows = await connection.fetch(
        """SELECT relname FROM pg_class
            WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
            ORDER BY relname""",
        schema,
    )
    return [row["relname"] for row in rows if row["relname"] not in SMALL]


# ------------------------------------------------------------------------------------- statements
@dataclass(frozen=True, slots=True)
class Statement:
    """A named statement, and the service on whose tables it is tried."""

    service: str
    file: str
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.name}"

    @property
    def plannable(self) -> bool:
        """Whether it reads or writes rows; locks and settings have no plan."""
        first = re.sub(r"^\s*--.*$", "", self.text, flags=re.MULTILINE).split()[0]
        return first in {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"} and "{" not in self.text

    @property
    def is_call(self) -> bool:
        """Whether it runs a function of ours, whose statements its own plan does not show."""
        return re.search(r"^SELECT \* FROM (?!unnest)\w+\(", self.text, re.MULTILINE) is not None


def statements() -> Iterator[Statement]:
    """All that services and operators run. What is shared is tried on the tables of orders."""
    folders = {"runtime": "orders", "orderflow": "orders"}
    folders |= {name: name for name in registry.names()}
    for folder, service in folders.items():
        top = "" if folder == "orderflow" else "services/"
        for file in statement_files(f"{top}{folder}"):
            if file.name != "migrate.sql":  # Run by the owner, once, before there are rows.
                for name, text in load(file).items():
                    yield Statement(service, f"{folder}/{file.name}", name, text)


# ------------------------------------------------------------------------------------- parameters
def _keys(make: Any) -> list[Any]:
    return [make(n * ROWS // KEYS) for n in range(1, KEYS + 1)]


def _uuid(n: int) -> UUID:
    return UUID(hashlib.md5(f"k{n}".encode(), usedforsecurity=False).hexdigest())


OF_TYPE: Mapping[str, Any] = {
    "uuid": _uuid,
    "text": lambda n: f"k{n}",
    "varchar": lambda n: f"k{n}",
    "int8": lambda n: n,
    "int4": lambda n: n,
    "int2": lambda n: n % 16,
    "bytea": lambda n: f"k{n}".encode(),
    "timestamptz": lambda n: BEGIN + timedelta(seconds=n),
    "date": lambda n: date(2026, 1, 1) + timedelta(days=n % 365),
    "jsonb": lambda n: "{}",
    "bool": lambda n: False,
    "numeric": Decimal,
    "float8": float,
}
OF_WORD: Mapping[str, Any] = {
    "topic": lambda n: f"topic{n % 10}",
    "partition": lambda n: n // 10 % 1000,
    "index": lambda n: 0,
    "nth": lambda n: 0,
    "shop": lambda n: f"shop{n % 100}",
    "kind": lambda n: "external_id",
    "slot": lambda n: n % 3,
    "segments": lambda n: n % 3,
    "days": lambda n: n % 9,
    "numbers of the events": lambda n: n * KEYS // ROWS + 1,
    "state": lambda n: "active",
    "final": lambda n: True,
    "owners": lambda n: f"{{{_uuid(n)}}}",
    "sessions": lambda n: f"{{{_uuid(n)}}}",
    "group": lambda n: f"group{n // 10000}",
    # Little is due at a time: a sweep runs every few seconds.
    "business time": lambda n: BEGIN + timedelta(seconds=100),
}
LIMITS = ("at most", "limit", "rows")


async def parameters(connection: asyncpg.Connection, statement: Statement) -> list[Any]:
    """A realistic value of each parameter, by its type and by what its comment calls it."""
    prepared = await connection.prepare(statement.text)
    words = _words(statement.text)
    return [
        _parameter(statement, number, type_.name, words.get(number, ""))
        for number, type_ in enumerate(prepared.get_parameters(), 1)
    ]


def _words(text: str) -> Mapping[int, str]:
    comment = " ".join(re.findall(r"^--(.*)$", text, re.MULTILINE))
    return {int(n): word for n, word in re.findall(r"\$(\d+)\s+([a-z][\w '-]*)", comment)}


def _parameter(statement: Statement, number: int, type_: str, word: str) -> Any:
    is_array, base = type_.endswith("[]"), type_.removesuffix("[]")
    named = next((make for known, make in OF_WORD.items() if word.startswith(known)), None)
    make = named if named is not None and _fits(named(1), base) else OF_TYPE.get(base)
    if make is None:
        raise AssertionError(
            f"{statement}: say in OF_TYPE or OF_WORD which values ${number} has ({type_} {word!r})"
        )
    if base == "int2" and is_array:
        return list(islice(cycle(range(16)), KEYS if "id" in statement.text else 16))
    if is_array:
        return _keys(make)
    return KEYS if base.startswith("int") and word.startswith(LIMITS) else make(ROWS // 2)


def _fits(value: Any, base: str) -> bool:
    kinds = {"text": str, "varchar": str, "timestamptz": datetime}
    return isinstance(value, kinds.get(base, int))


# ------------------------------------------------------------------------------------------ plans
async def whole_tables_read(connection: asyncpg.Connection, statement: Statement) -> list[str]:
    """What the plan of a statement reads from one end to the other, as sentences."""
    if statement.is_call:
        return await _whole_tables_read_within(connection, statement)
    values = await parameters(connection, statement)
    plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON, VERBOSE)\n{statement.text}", *values)
    return sorted(set(_whole(json.loads(plan)[0]["Plan"], statement.service)))


async def rows_read_within(
    connection: asyncpg.Connection, schema: str, statement: str, values: Sequence[Any]
) -> list[asyncpg.Record]:
    """What a statement really read, table by table, by the server's count; it is undone.

    What the session read before is handed over first: until then it is counted with the next.
    """
    await connection.execute("SELECT pg_stat_force_next_flush()")
    undone = connection.transaction()
    await undone.start()
    try:
        await connection.fetch(statement, *values)
        rows = await connection.fetch(READ_SO_FAR, schema)
    finally:
        await undone.rollback()
    return [row for row in rows if row["seq_scan"] or row["idx_scan"]]


async def _whole_tables_read_within(
    connection: asyncpg.Connection, statement: Statement
) -> list[str]:
    """What the called function really read, by the server's own count of this transaction."""
    values = await parameters(connection, statement)
    rows = await rows_read_within(connection, statement.service, statement.text, values)
    read = {row["relname"]: row for row in rows}
    if len(read) < TABLES_WITHIN[statement.name]:
        raise AssertionError(f"{statement}: it read {sorted(read)} only; the others were not tried")
    found = [f"Seq Scan on {table}" for table, row in read.items() if row["seq_scan"]]
    found += [f"Index Scan on {t}, all of it" for t, row in read.items() if _is_whole(row)]
    return sorted(found)


def _is_whole(row: asyncpg.Record) -> bool:
    return bool((row["idx_tup_fetch"] or 0) >= ROWS)


def _whole(node: Mapping[str, Any], schema: str) -> Iterator[str]:
    kind, table = node["Node Type"], node.get("Relation Name", "")
    if node.get("Schema") == schema and table not in SMALL:
        if kind == "Seq Scan":
            yield f"{kind} on {table}"
        elif kind.startswith("Index") and "Index Cond" not in node and "Filter" in node:
            yield f"{kind} on {table} by {node['Index Name']}, each row filtered"
        elif kind.startswith("Index") and "Index Cond" not in node and node["Plan Rows"] >= ROWS:
            yield f"{kind} on {table} by {node['Index Name']}, all of it"
    for below in node.get("Plans", ()):
        if kind != "Limit" or below["Node Type"] == "Seq Scan" or "Filter" in below:
            yield from _whole(below, schema)
