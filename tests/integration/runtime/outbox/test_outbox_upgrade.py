"""The outbox while services of the version before (without packed rows) run beside this one.

The statements of that version are kept here unchanged.
"""

import asyncio

import pytest

from services.runtime.messages.headers import headers_by_name, pack_headers, unpack_headers
from services.runtime.outbox import outbox as outbox_module
from services.runtime.outbox.delivery import SQL, delete
from services.runtime.outbox.leases import ShardLeases, lock_class
from services.runtime.outbox.outbox import Outbox, Outgoing, shard_of
from services.runtime.outbox.rows import read_rows
from services.runtime.postgres.connections import connect
from tests.integration.runtime.conftest import WRITTEN
from tests.integration.runtime.outbox.relaying import DEADLINE_SECONDS, Feed, read_topic
from tests.integration.runtime.outbox.test_relay_refusals import relaying

OLD_COLUMNS = ["shard", "topics", "keys", "headers", "values", "caused_at", "shards"]
OLD_READ = """
SELECT o.id, o.shard, o.slot, o.topics, o.keys, o.headers, o."values", o.caused_at, o.created_at,
       o.is_last
  FROM unnest($1::smallint[]) AS held(shard)
 CROSS JOIN LATERAL (
       SELECT oldest.*,
              row_number() OVER in_order AS number,
              row_number() OVER in_order < $2 AND lead(oldest.id) OVER in_order IS NULL AS is_last,
              sum(pg_column_size(oldest."values")) OVER in_order AS bytes
         FROM (SELECT * FROM outbox WHERE outbox.shard = held.shard ORDER BY outbox.id LIMIT $2)
              AS oldest
       WINDOW in_order AS (ORDER BY oldest.id)
       ) AS o
 WHERE o.number = 1 OR o.bytes <= $3
 ORDER BY o.shard, o.id;
"""
OLD_DELETE = """
DELETE FROM outbox
 USING unnest($1::smallint[], $2::bigint[], $3::smallint[]) AS done(shard, id, slot)
 WHERE outbox.shard = done.shard AND outbox.id = done.id AND outbox.slot = done.slot;
"""
KEY = "k"
HEADERS = [("ce_id", b"1"), ("odd", b"\xff\0")]


class OldOutbox:
    """Appends rows as the version before does."""

    def __init__(self, shards):
        self._shards = shards

    async def append(self, connection, outgoing):
        """The rows, by COPY."""
        by_shard = {}
        for record in outgoing:
            by_shard.setdefault(shard_of(record.shard_by, self._shards), []).append(record)
        rows = [
            (
                shard,
                [record.topic for record in records],
                [record.key for record in records],
                [pack_headers(HEADERS) for _ in records],
                [record.value for record in records],
                None,
                self._shards,
            )
            for shard, records in sorted(by_shard.items())
        ]
        await connection.copy_records_to_table("outbox", columns=OLD_COLUMNS, records=rows)


@pytest.fixture
async def session(settings):
    """A connection of the service."""
    connection = await connect(settings, "orders")
    yield connection
    await connection.close()


@pytest.fixture
async def old_relay(settings):
    """A relay of the version before as other relays see it: counted, with all shards."""
    connection = await connect(settings, "orders", "relay")
    pid = connection.get_server_pid()
    assert await connection.fetchval(SQL["try_lease"], lock_class("orders/member"), pid)
    yield connection
    connection.terminate()


def a_record(value):
    return Outgoing(WRITTEN, KEY.encode(), value, headers_by_name(HEADERS), KEY)


async def old_look(connection):
    """Read the shard as the version before does."""
    return await connection.fetch(OLD_READ, [shard_of(KEY, 8)], 64, 10**6)


async def test_outbox_rows_of_both_versions_are_read_in_id_order(session):
    new, old = Outbox(8), OldOutbox(8)
    for value, writer in enumerate((old, new, old, old, new)):
        await writer.append(session, [a_record(str(value).encode())])

    rows, failed = read_rows(await session.fetch(SQL["read_outbox"], [shard_of(KEY, 8)], 64, 10**6))
    forms = await session.fetch("SELECT packed IS NULL AS old FROM outbox ORDER BY id")

    assert [row["old"] for row in forms] == [True, False, True, True, False]
    assert not failed
    assert [row.values for row in rows] == [[str(n).encode()] for n in range(5)]
    await delete(session, rows)
    assert await session.fetchval("SELECT count(*) FROM outbox") == 0


async def test_outbox_packed_row_fails_in_the_version_before(session):
    """The loop of that version over a row's topics fails before it publishes or deletes a row."""
    await Outbox(8).append(session, [a_record(b"1")])

    (row,) = await old_look(session)

    with pytest.raises(TypeError):
        list(enumerate(row["topics"]))


async def test_outbox_rows_are_arrays_while_the_version_before_relays(
    session, old_relay, monkeypatch
):
    monkeypatch.setattr(outbox_module, "OLD_RELAYS_SECONDS", 0.0)
    outbox = Outbox(8)
    await outbox.append(session, [a_record(b"1"), a_record(b"2")])

    (row,) = await old_look(session)
    assert (row["topics"], row["keys"], row["values"]) == ([WRITTEN] * 2, [b"k"] * 2, [b"1", b"2"])
    assert [unpack_headers(each) for each in row["headers"]] == [HEADERS] * 2
    await session.execute(OLD_DELETE, [row["shard"]], [row["id"]], [row["slot"]])
    assert await session.fetchval("SELECT count(*) FROM outbox") == 0

    await old_relay.close()
    async with asyncio.timeout(DEADLINE_SECONDS):  # The server takes a moment to end the session.
        while not await session.fetchval("SELECT count(packed) FROM outbox"):
            await outbox.append(session, [a_record(b"3")])


async def test_relays_of_this_version_do_not_count_as_old(settings, session):
    relay = await connect(settings, "orders", "relay")
    await ShardLeases(relay, "orders", 8).join()

    await Outbox(8).append(session, [a_record(b"1")])

    assert await session.fetchval("SELECT count(packed) FROM outbox") == 1
    await relay.close()


async def test_relay_unpacks_a_packed_row_in_a_shard_of_an_old_relay(settings, session, old_relay):
    """The row was written before the old relay was seen, as in a batch open at that time."""
    outbox = Outbox(settings.outbox_shards)
    outbox._packs, outbox._look_at = True, float("inf")
    await outbox.append(session, [a_record(b"1"), a_record(b"2")])
    (before,) = await old_look(session)
    for shard in range(settings.outbox_shards):
        assert await old_relay.fetchval(SQL["try_lease"], lock_class("orders/shard"), shard)

    async with relaying(settings), asyncio.timeout(DEADLINE_SECONDS):
        while (row := (await old_look(session))[0])["topics"] is None:
            await asyncio.sleep(0.02)

    same = ("id", "shard", "slot", "created_at")
    assert [row[name] for name in same] == [before[name] for name in same]
    assert (row["topics"], row["values"]) == ([WRITTEN] * 2, [b"1", b"2"])
    assert [unpack_headers(each) for each in row["headers"]] == [HEADERS] * 2


@pytest.mark.parametrize("publication", ["at_least_once", "exactly_once"])
async def test_relay_publishes_rows_of_both_versions_in_order(settings, publication):
    either = settings.model_copy(update={"publication": publication, "outbox_shards": 4})
    async with Feed(either) as feed:
        new, old = feed._outbox, OldOutbox(4)
        async with relaying(either):
            for number in range(12):
                feed._outbox = old if number % 3 else new
                await feed.write(2)
            await feed.until_published()
        seen = await read_topic(either)

    assert seen.firsts == feed.expected


async def test_relay_names_an_unreadable_row_and_publishes_other_shards(settings, session):
    settings = settings.model_copy(update={"outbox_shards": 4})
    shard = shard_of("0", 4)
    async with Feed(settings) as feed, relaying(settings) as relay:
        async with session.transaction():  # The relay shall not see the row before it is spoilt.
            await Outbox(4).append(session, [Outgoing(WRITTEN, b"0", b"{}", HEADERS_PACKED, "0")])
            row = await session.fetchval(
                "UPDATE outbox SET packed = '\\x07' || packed RETURNING id"
            )
        await feed.write(3)
        await feed.until_rows(lambda rows: {each["shard"] for each in rows} == {shard})
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not relay.trouble.startswith("Not published"):
                await asyncio.sleep(0.02)
        assert f"shard {shard} stands at row {row}: " in relay.trouble
        assert "of form 7, which this version does not know" in relay.trouble

        await session.execute("UPDATE outbox SET packed = substr(packed, 2) WHERE id = $1", row)
        await feed.until_published()
    assert await session.fetchval("SELECT count(*) FROM outbox") == 0


HEADERS_PACKED = headers_by_name(HEADERS)
