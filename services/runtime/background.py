"""What a service repeats beside its batches: the steps of its start until they succeed, then
retries of parked items, expiry, measuring and offset commits at intervals.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog

from services.runtime.retry import NotMigrated, backoff_seconds, forget_rows, is_transient

Work = Callable[[], Awaitable[object]]
"""One run of the work. A true result (such as a count of items) means that more may be left."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


async def every(seconds: float, name: str, work: Work, *, service: str) -> None:
    """Run `work` every `seconds` until this task is cancelled.

    The pause comes before each run; a run that returned a true result is followed by the next one
    without a pause. An exception ends only the run that raised it: it is logged as `<name>_failed`
    with the number of failures in a row, and without the rows that Postgres quotes.
    """
    event, failures = f"{name}_failed", 0
    while True:
        await asyncio.sleep(seconds)
        try:
            while await work():
                failures = 0
            failures = 0
        except Exception as error:
            failures += 1
            forget_rows(error)
            trace = None if is_transient(error) else error
            log.warning(
                event, service=service, error=repr(error), failures=failures, exc_info=trace
            )


class Workers:
    """The tasks that run beside the batches of one service, by name."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in a task; it is expected to run until `stop`.

        Raises:
            ValueError: the service has a worker of this name already.
        """
        if name in self._tasks:
            work.close()
            raise ValueError(f"service {self._service} has two workers {name!r}: rename one")
        task = asyncio.create_task(work, name=f"{self._service}.{name}")
        task.add_done_callback(self._log_error)
        self._tasks[name] = task

    def ended(self) -> list[str]:
        """Names of the workers whose tasks have ended."""
        return [name for name, task in self._tasks.items() if task.done()]

    async def join(self, name: str) -> None:
        """Wait until a worker ends by itself; returns at once where it was never started."""
        if name in self._tasks:
            await self._tasks[name]

    async def stop(self) -> None:
        """Cancel all workers and wait for their ends."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _log_error(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error:
            forget_rows(error)
            log.error(
                "worker_failed", service=self._service, worker=task.get_name(), exc_info=error
            )


class Startup:
    """Repeats a step of a service's start: until servers answer, and the database is migrated."""

    def __init__(self, service: str) -> None:
        self._service = service
        self.waiting_for = ""
        """Error of the last attempt; empty when nothing is waited for."""

    async def until_up(self, step: Callable[[], Awaitable[T]]) -> T:
        """The result of the first attempt that succeeds; errors that do not pass are raised."""
        attempt = 0
        while True:
            try:
                result = await step()
            except Exception as error:
                is_migrated = not isinstance(error, NotMigrated)
                if is_migrated and not is_transient(error):
                    raise
                self.waiting_for = str(error)
                event = "waiting_for_server" if is_migrated else "waiting_for_migration"
                log.warning(event, service=self._service, error=repr(error))
                await asyncio.sleep(backoff_seconds(attempt))
                attempt += 1
            else:
                self.waiting_for = ""
                return result
