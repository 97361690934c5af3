"""A tape: for each message, the rows and records that came of it, to be played without deciding.

Recorded from the outside after ours has applied a mix; the ceiling plays it. This module imports
nothing of the services, and neither does what plays it.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

import asyncpg

from demo.journal import Entry

Record = tuple[str, bytes, bytes, list[tuple[str, bytes]]]
"""Topic (the catalogue's name), key, value, headers."""

STATE = """
SELECT order_id AS id, 'order' AS kind, order_id::text AS name, document::text::bytea || applied
       AS bytes, ARRAY[]::text[] AS owners
  FROM orders.shop_order WHERE document IS NOT NULL
UNION ALL
SELECT NULL, 'parcel', number, document::text::bytea,
       ARRAY(SELECT owner ->> 'order_id' FROM jsonb_array_elements(document -> 'owners') AS owner)
  FROM orders.parcel
UNION ALL
SELECT NULL, 'reference', shop || '/' || kind || '/' || value, convert_to(shop || kind || value,
       'UTF8'), ARRAY[order_id::text]
  FROM orders.reference
"""


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
    database_url: str, sent: Iterable[tuple[bytes, bytes, bytes]], told: Iterable[Entry]
) -> Tape:
    """The consequences of messages (`ce_id`, key, value) from what was told, and from the rows.

    Each row is as it stands at the end; an order's names are written by its first message.
    """
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(STATE)
    finally:
        await connection.close()
    state = _State.of(rows)
    tape = {id_: Consequence() for id_, _, _ in sent}
    for entry in told:
        consequence = tape.get(_cause_of(entry))
        if consequence is not None:
            headers = [(name, value.encode()) for name, value in entry.headers.items()]
            consequence.records.append((entry.topic, entry.key.encode(), entry.value, headers))
    for id_, key, value in sent:
        state.note(tape[id_], key, value)
    return tape


def _cause_of(entry: Entry) -> bytes:
    return (entry.headers.get("ce_causationid") or "").encode()


@dataclass(slots=True)
class _State:
    """Rows by what names them."""

    orders: dict[str, tuple[UUID, bytes]] = field(default_factory=dict)
    parcels: dict[str, tuple[UUID, bytes, list[str]]] = field(default_factory=dict)
    owned: dict[str, list[str]] = field(default_factory=dict)
    references: dict[str, list[tuple[UUID, bytes]]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[asyncpg.Record]) -> _State:
        state = cls()
        for row in rows:
            name = row["name"]
            id_ = row["id"] or uuid5(NAMESPACE_URL, f"{row['kind']}/{name}")
            if row["kind"] == "order":
                state.orders[name] = (id_, row["bytes"])
            elif row["kind"] == "parcel":
                state.parcels[name] = (id_, row["bytes"], row["owners"])
                for owner in row["owners"]:
                    state.owned.setdefault(owner, []).append(name)
            else:
                state.references.setdefault(row["owners"][0], []).append((id_, row["bytes"]))
        return state

    def note(self, consequence: Consequence, key: bytes, value: bytes) -> None:
        """Which rows the message read and wrote: those of the orders that its records tell of, and
        the parcels that it names. What told nothing of an order wrote nothing.
        """
        told_of = {key.decode() for topic, key, *_ in consequence.records if "events" in topic}
        number = key.decode().rpartition("/")[2]
        named = [number] if number in self.parcels else []
        named += [
            name
            for order in told_of
            for name in self.owned.get(order, ())
            if name.encode() in value
        ]
        for name in dict.fromkeys(named):
            id_, document, owners = self.parcels[name]
            consequence.reads.append(id_)
            consequence.reads += [self.orders[owner][0] for owner in owners if owner in self.orders]
            if told_of:
                consequence.writes.append((id_, document))
        for order in sorted(told_of & self.orders.keys()):
            consequence.reads.append(self.orders[order][0])
            consequence.writes.append(self.orders[order])
            consequence.writes += self.references.pop(order, [])
