"""What lies in the outbox of a service, as a subscriber will see it."""

from __future__ import annotations

from services.runtime.messages.headers import read_headers
from services.runtime.outbox.rows import read_row

ALL = "SELECT *, false AS is_last FROM outbox ORDER BY id"


async def waiting_records(connection):
    """Topic, headers and value of each record that waits, oldest first."""
    return [
        (topic, dict(read_headers(headers)), value)
        for row in map(read_row, await connection.fetch(ALL))
        for topic, headers, value in zip(row.topics, row.headers, row.values, strict=True)
    ]
