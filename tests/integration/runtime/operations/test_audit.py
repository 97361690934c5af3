"""The audit of operators' acts: written with the act, readable, and never changed by a service."""

from datetime import timedelta

import asyncpg
import pytest

from services.runtime.config.settings import Settings
from services.runtime.operations import audit
from services.runtime.operations.audit import Act, ActFilter
from services.runtime.postgres.connections import connect
from services.runtime.postgres.migrate import migrate

SKIP = Act("parked.skip", "ana", "a typo", "orders.commands", 2, 17, 0, {"error": "ValueError: no"})
RESUME = Act("partitions.resume", "ben", "mended in 1.4", "carrier.tracking", 1)


@pytest.fixture
async def connection(database_url):
    """A connection of the orders service, under its role."""
    made = await connect(Settings(database_url=database_url), "orders", "test")
    yield made
    await made.close()


async def test_acts_are_read_as_they_were_written_newest_first(connection):
    await audit.write(connection, [SKIP])
    await audit.write(connection, [RESUME])

    found = await audit.read(connection, ActFilter())

    assert [each.act for each in found] == [RESUME, SKIP]
    assert found[0].id > found[1].id
    assert found[0].at >= found[1].at


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (ActFilter(acts=("parked.skip",)), [SKIP]),
        (ActFilter(acts=()), []),
        (ActFilter(actor="ben"), [RESUME]),
        (ActFilter(topic="orders.commands", partition=2, offset=17), [SKIP]),
        (ActFilter(topic="orders.commands", offset=18), []),
        (ActFilter(limit=1), [RESUME]),
    ],
)
async def test_filters_leave_out_what_they_do_not_name(connection, selection, expected):
    await audit.write(connection, [SKIP, RESUME])

    assert [each.act for each in await audit.read(connection, selection)] == expected


async def test_the_time_is_a_filter_of_which_the_end_is_not_included(connection):
    await audit.write(connection, [SKIP])
    (written,) = await audit.read(connection, ActFilter())
    later = written.at + timedelta(microseconds=1)

    assert await audit.read(connection, ActFilter(since=written.at, until=later)) == [written]
    assert await audit.read(connection, ActFilter(since=later)) == []
    assert await audit.read(connection, ActFilter(until=written.at)) == []


async def test_an_act_that_is_rolled_back_leaves_no_row(connection):
    transaction = connection.transaction()
    await transaction.start()
    await audit.write(connection, [SKIP])
    await transaction.rollback()

    assert await audit.read(connection, ActFilter()) == []


@pytest.mark.parametrize("empty", ["actor", "reason", "act"])
async def test_act_with_an_empty_member_is_refused(connection, empty):
    said = {"act": "parked.skip", "actor": "ana", "reason": "a typo"} | {empty: ""}

    with pytest.raises(asyncpg.CheckViolationError):
        await audit.write(connection, [Act(**said)])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE operator_act SET reason = 'another'",
        "DELETE FROM operator_act",
        "TRUNCATE operator_act",
    ],
)
@pytest.mark.parametrize("is_migrated_again", [False, True])
async def test_a_service_cannot_change_the_audit_also_after_another_migration(
    connection, database_url, statement, is_migrated_again
):
    if is_migrated_again:
        await migrate(database_url)
    await audit.write(connection, [SKIP])

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)
