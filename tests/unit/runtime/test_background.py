"""Work at intervals: no failure ends it, and it says how often it failed in a row."""

import asyncio
import contextlib

import asyncpg
import pytest
from structlog.testing import capture_logs

from services.runtime.background import Startup, Workers, every
from services.runtime.postgres.connections import RoleMissing
from services.runtime.postgres.migrate import MigrationError, MigrationMissing

DEADLINE_SECONDS = 10


async def outcomes_of(results, *, runs):
    """What `every` logs over `runs` runs of work with these results; an error is raised."""
    given, done = iter(results), asyncio.Event()
    count = 0

    async def work():
        nonlocal count
        count += 1
        if count == runs:
            done.set()
        result = next(given, None)
        if isinstance(result, Exception):
            raise result
        return result

    with capture_logs() as logs:
        task = asyncio.create_task(every(0.001, "look", work, service="orders"))
        await asyncio.wait_for(done.wait(), DEADLINE_SECONDS)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert count == runs
    return logs


async def test_every_goes_on_after_an_error_and_counts_failures_in_a_row():
    failure = ZeroDivisionError("a bug")

    logs = await outcomes_of([failure, failure, None, failure, None], runs=6)

    assert [entry["event"] for entry in logs] == ["look_failed"] * 3
    assert [entry["failures"] for entry in logs] == [1, 2, 1]
    assert {entry["service"] for entry in logs} == {"orders"}


async def test_every_logs_a_traceback_only_for_an_error_that_does_not_pass():
    passing, bug = ConnectionResetError("gone"), ZeroDivisionError("a bug")

    logs = await outcomes_of([passing, bug], runs=3)

    assert [entry["exc_info"] for entry in logs] == [None, bug]


async def test_every_removes_the_rows_that_postgres_quotes():
    error = asyncpg.UniqueViolationError("duplicate key")
    error.detail = "Key (name)=(a customer) already exists."

    (entry,) = await outcomes_of([error], runs=2)

    assert error.detail is None
    assert "customer" not in repr(entry)


async def test_every_runs_again_without_a_pause_while_work_is_left():
    left = iter([3, 2, 1, 0])
    done = asyncio.Event()

    async def work():
        count = next(left)
        if not count:
            done.set()
        return count

    pauses = []

    async def pause(seconds):
        pauses.append(seconds)
        if len(pauses) > 1:
            await asyncio.Event().wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "sleep", pause)
        task = asyncio.create_task(every(60, "look", work, service="orders"))
        await asyncio.wait_for(done.wait(), DEADLINE_SECONDS)
        task.cancel()

    assert pauses == [60, 60]  # Before the first run, and after the fourth: none between them.


async def test_workers_name_and_log_the_one_that_ended():
    async def fail():
        raise ZeroDivisionError("a bug")

    workers = Workers("orders")
    with capture_logs() as logs:
        workers.start("lasting", asyncio.Event().wait())
        workers.start("failing", fail())
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not logs:
                await asyncio.sleep(0)

    assert workers.ended() == ["failing"]
    (entry,) = logs
    assert (entry["event"], entry["worker"]) == ("worker_failed", "orders.failing")
    await workers.stop()
    assert workers.ended() == ["lasting", "failing"]


async def test_workers_refuse_a_second_one_of_a_name():
    workers = Workers("orders")
    workers.start("relay", asyncio.Event().wait())

    with pytest.raises(ValueError, match="two workers 'relay'"):
        workers.start("relay", asyncio.sleep(0))

    await workers.stop()


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (ConnectionRefusedError("no server"), "waiting_for_server"),
        (MigrationMissing("no schema"), "waiting_for_migration"),
        (RoleMissing("no role"), "waiting_for_migration"),
    ],
)
async def test_startup_says_what_it_waits_for_until_the_step_succeeds(error, event):
    startup, results = Startup("orders"), iter([error, "up"])
    seen = []

    async def step():
        seen.append(startup.waiting_for)
        result = next(results)
        if isinstance(result, Exception):
            raise result
        return result

    with capture_logs() as entries:
        assert await startup.until_up(step) == "up"

    assert seen == ["", str(error)]
    assert startup.waiting_for == ""
    assert [entry["event"] for entry in entries] == [event]


@pytest.mark.parametrize("error", [ZeroDivisionError("a bug"), MigrationError("other text")])
async def test_startup_raises_an_error_that_does_not_pass(error):
    async def step():
        raise error

    with pytest.raises(type(error), match=str(error)):
        await Startup("orders").until_up(step)
