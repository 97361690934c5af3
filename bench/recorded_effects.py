"""A tape: for each message, the rows and records that came of it, to be played without deciding.

Recorded from the outside after ours has applied a mix; the ceiling plays it. This module imports
nothing of the services, and neither does what plays it.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

import asyncpg
import orjson

from demo.journal import Entry

Record = tuple[str, bytes, bytes, list[tuple[str, bytes]]]
"""Topic (the catalogue's name), key, value, headers."""

REFERENCES = """
SELECT shop || '/' || kind || '/' || value AS name,
       convert_to(shop || kind || value, 'UTF8') AS row, order_id::text AS owner
  FROM orders.reference
"""
# The tables of documents by how they may be called: the later name is a view where both are there.
ORDERS = ("stored_order", "shop_order")
PARCELS = ("stored_parcel", "parcel")


@dataclass(slots=True)
class Consequence:
    """What one message came to."""

    reads: list[UUID] = field(default_factory=list)
    """Rows to lock and read."""
    writes: list[tuple[UUID, bytes]] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    """In the order they were decided."""


Tape = Mapping[bytes, Consequence]
"""By the message's `ce_id`."""


def load(path: Path) -> Tape:
    """A tape that `save` wrote."""
    tape: Tape = pickle.loads(path.read_bytes())
    return tape


def save(tape: Tape, path: Path) -> None:
    """Only for the process that plays it, in the same run."""
    path.write_bytes(pickle.dumps(tape))


async def record(
    database_url: str, sent: Iterable[tuple[bytes, bytes, bytes]], published: Iterable[Entry]
) -> Tape:
    """The consequences of messages (`ce_id`, key, value), from published records and from rows.

    Each row is as it stands at the end; an order's names are written by its first message.
    """
    state = await _read_state(database_url)
    tape = {id_: Consequence() for id_, _, _ in sent}
    for entry in published:
        consequence = tape.get(_cause_of(entry))
        if consequence is not None:
            headers = [(name, value.encode()) for name, value in entry.headers.items()]
            consequence.records.append((entry.topic, entry.key.encode(), entry.value, headers))
    for id_, key, value in sent:
        state.note(tape[id_], key, value)
    return tape


async def table_of(connection: asyncpg.Connection, names: Sequence[str]) -> str:
    """The first of these names that the schema of orders has."""
    for name in names:
        if await connection.fetchval("SELECT to_regclass($1)", f"orders.{name}"):
            return f"orders.{name}"
    raise LookupError(f"the schema of orders has none of {', '.join(names)}")


def document_of(row: asyncpg.Record) -> bytes:
    """A stored document, whether its column is jsonb (text here) or bytea."""
    document = row["document"]
    return document.encode() if isinstance(document, str) else bytes(document)


def owners_of(row: asyncpg.Record) -> list[str]:
    """The ids of the orders that a parcel belongs to, once each."""
    if "owners" in row.keys():  # noqa: SIM118 -- a Record without keys() asks for its values
        return list(dict.fromkeys(map(str, row["owners"])))
    owners = orjson.loads(row["document"])["owners"]
    return list(dict.fromkeys(owner["order_id"] for owner in owners))


async def _read_state(database_url: str) -> _State:
    connection = await asyncpg.connect(database_url)
    try:
        orders = await connection.fetch(f"SELECT * FROM {await table_of(connection, ORDERS)}")
        parcels = await connection.fetch(f"SELECT * FROM {await table_of(connection, PARCELS)}")
        references = await connection.fetch(REFERENCES)
    finally:
        await connection.close()
    return _State.of(orders, parcels, references)


def _cause_of(entry: Entry) -> bytes:
    return (entry.headers.get("ce_causationid") or "").encode()


def _id_of(kind: str, name: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"{kind}/{name}")


@dataclass(slots=True)
class _State:
    """Rows by what names them."""

    orders: dict[str, tuple[UUID, bytes]] = field(default_factory=dict)
    parcels: dict[str, tuple[UUID, bytes, list[str]]] = field(default_factory=dict)
    owned: dict[str, list[str]] = field(default_factory=dict)
    references: dict[str, list[tuple[UUID, bytes]]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        orders: Iterable[asyncpg.Record],
        parcels: Iterable[asyncpg.Record],
        references: Iterable[asyncpg.Record],
    ) -> _State:
        """The rows of the three tables; a placeholder of an order has no document and is none."""
        state = cls()
        for row in orders:
            if row["document"] is not None:
                written = document_of(row) + row["applied"]
                state.orders[str(row["order_id"])] = (row["order_id"], written)
        for row in parcels:
            name, owners = row["number"], owners_of(row)
            state.parcels[name] = (_id_of("parcel", name), document_of(row), owners)
            for owner in owners:
                state.owned.setdefault(owner, []).append(name)
        for row in references:
            written = (_id_of("reference", row["name"]), row["row"])
            state.references.setdefault(row["owner"], []).append(written)
        return state

    def note(self, consequence: Consequence, key: bytes, value: bytes) -> None:
        """Which rows the message read and wrote: the orders that its records are about, and the
        parcels that it names. A message without an event about an order wrote nothing.
        """
        with_events = {key.decode() for topic, key, *_ in consequence.records if "events" in topic}
        number = key.decode().rpartition("/")[2]
        named = [number] if number in self.parcels else []
        named += [
            name
            for order in with_events
            for name in self.owned.get(order, ())
            if name.encode() in value
        ]
        for name in dict.fromkeys(named):
            id_, document, owners = self.parcels[name]
            consequence.reads.append(id_)
            consequence.reads += [self.orders[owner][0] for owner in owners if owner in self.orders]
            if with_events:
                consequence.writes.append((id_, document))
        for order in sorted(with_events & self.orders.keys()):
            consequence.reads.append(self.orders[order][0])
            consequence.writes.append(self.orders[order])
            consequence.writes += self.references.pop(order, [])
