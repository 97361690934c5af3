"""Original records in the tables of parked and of waiting items."""

from __future__ import annotations

import asyncpg

from services.runtime.messages.headers import unpack_headers
from services.runtime.messages.records import Coordinates, Original


def read_original(row: asyncpg.Record) -> Original:
    """The record that a row keeps, from its columns of where it lay and of what it held."""
    return Original(
        Coordinates(row["topic"], row["partition"], row["offset"]),
        row["key"],
        tuple(unpack_headers(row["headers"])),
        row["value"],
        row["record_timestamp"],
    )
