"""Rows of the queue of parked items, written as a service of the version before wrote them."""

from services.runtime.messages.headers import pack_headers

PARK = """
WITH row AS (
    INSERT INTO parked (index, topic, partition, "offset", key, headers, value, record_timestamp,
                        type, kind, error, traceback, parked_at, attempts, last_tried_at)
    VALUES (0, $1, $2, $3, $4, $5, $6, $7, $8, 'decision', 'Bug: mended by now', '', $7, 1, now())
    RETURNING id, nth)
INSERT INTO parked_name (name, id, nth) SELECT $9, id, nth FROM row"""


async def park_as_before(connection, record, type_, key):
    """Park the first item of a record under one parking key."""
    at = record.coordinates
    where = (at.topic, at.partition, at.offset)
    headers = pack_headers(record.headers)
    what = (record.key, headers, record.value, record.timestamp)
    await connection.execute(PARK, *where, *what, type_, key)
