"""Rejected items in the tables of the services: find by filter, read the original bytes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from orderflow.console.audit_options import Spot
from services.orders.domain.model.ids import order_id_of
from services.runtime.messages.headers import unpack_headers
from services.runtime.messages.records import Coordinates
from services.runtime.postgres.queries import load

SQL = load(Path(__file__).parent / "query.sql")


@dataclass(frozen=True, slots=True)
class RejectedFilter:
    """Which rejected items; None leaves a filter out, `until` is not included."""

    topics: tuple[str, ...] | None = None
    partition: int | None = None
    offset: int | None = None
    index: int | None = None
    reason: str | None = None
    source: str | None = None
    key: str | None = None
    order: tuple[str, str] | None = None
    """Shop and order number: by key, or named in the value."""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RejectedItem:
    """One rejected item without its original bytes; the item at index `carrier` holds them."""

    service: str
    coordinates: Coordinates
    index: int
    item_id: UUID
    key: bytes | None
    type: str | None
    reason: str
    detail: str
    errors: list[dict[str, str]]
    ce_id: str | None
    ce_source: str | None
    of_many: bool
    carrier: int
    rejected_at: datetime
    resent_times: int
    resent_at: datetime | None
    fits_by_key: bool

    @property
    def spot(self) -> Spot:
        """Where it lies."""
        return Spot(self.coordinates, self.index)


@dataclass(frozen=True, slots=True)
class OriginalBytes:
    """Key, headers and value of a rejected item, as received."""

    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes | None


Originals = dict[tuple[Coordinates, int], OriginalBytes]


async def find(
    connection: asyncpg.Connection, service: str, filters: RejectedFilter, limit: int
) -> list[RejectedItem]:
    """Rejected items of one service, newest first."""
    keys, texts = _names(filters)
    # What stands in a bulk command may be about another of its items: those are looked into.
    most = None if filters.order else limit
    rows = await connection.fetch(
        SQL["find_rejected"],
        list(filters.topics) if filters.topics is not None else None,
        filters.partition,
        filters.offset,
        filters.index,
        filters.reason,
        filters.source,
        keys,
        texts,
        filters.since,
        filters.until,
        most,
    )
    found = [_rejected_item(service, row) for row in rows]
    if filters.order:
        found = await _about(connection, found, filters.order[1])
    return found[:limit]


async def read_originals(
    connection: asyncpg.Connection, items: Sequence[RejectedItem]
) -> Originals:
    """The bytes of the items, by coordinates and the index of the item that holds them."""
    carriers = {(item.coordinates, item.carrier) for item in items}
    rows = await connection.fetch(SQL["read_originals"], *columns(carriers))
    return {
        (Coordinates(row["topic"], row["partition"], row["offset"]), row["index"]): OriginalBytes(
            row["key"], tuple(unpack_headers(row["headers"])), row["value"]
        )
        for row in rows
    }


def columns(items: Iterable[tuple[Coordinates, int]]) -> tuple[list[Any], ...]:
    """Topics, partitions, offsets and indexes, pairwise, as the statements take them."""
    chosen = sorted(items, key=lambda each: (str(each[0].topic), *_numbers(each)))
    return (
        [at.topic for at, _ in chosen],
        [at.partition for at, _ in chosen],
        [at.offset for at, _ in chosen],
        [index for _, index in chosen],
    )


def _numbers(item: tuple[Coordinates, int]) -> tuple[int, int, int]:
    at, index = item
    return at.partition, at.offset, index


def _names(filters: RejectedFilter) -> tuple[list[bytes] | None, list[bytes] | None]:
    """Keys that an item fits by, and texts that otherwise stand in its value."""
    if filters.key is not None:
        return [filters.key.encode()], None
    if filters.order is None:
        return None, None
    shop, number = filters.order
    keys = [f"{shop}/{number}".encode(), str(order_id_of(shop, number)).encode()]
    return keys, [orjson.dumps(shop), orjson.dumps(number)]


async def _about(
    connection: asyncpg.Connection, found: list[RejectedItem], number: str
) -> list[RejectedItem]:
    """Those that are about the order: of a bulk command, the items that name it themselves."""
    doubtful = [item for item in found if item.of_many and not item.fits_by_key]
    originals = await read_originals(connection, doubtful)
    others = {
        item.spot
        for item in doubtful
        if not _names_it(originals[item.coordinates, item.carrier].value, item.index, number)
    }
    return [item for item in found if item.spot not in others]


def _names_it(value: bytes | None, index: int, number: str) -> bool:
    try:
        item = orjson.loads(value or b"null")["items"][index]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        return True  # An item whose order is unclear is listed rather than hidden.
    return orjson.dumps(number) in orjson.dumps(item)


def _rejected_item(service: str, row: asyncpg.Record) -> RejectedItem:
    return RejectedItem(
        service,
        Coordinates(row["topic"], row["partition"], row["offset"]),
        row["index"],
        row["item_id"],
        row["key"],
        row["type"],
        row["reason"],
        row["detail"],
        orjson.loads(row["errors"]),
        row["ce_id"],
        row["ce_source"],
        row["of_many"],
        row["carrier"],
        row["rejected_at"],
        row["times"],
        row["last_at"],
        bool(row["fits_by_key"]),
    )
