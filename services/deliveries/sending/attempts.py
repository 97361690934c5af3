"""Attempts: the deliveries that are under way, each a task, and what came back of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from services.deliveries.domain.schedule import Answer
from services.deliveries.names import SERVICE
from services.deliveries.network.client import Response
from services.deliveries.sending.attempt_trace import AttemptTrace
from services.deliveries.sending.changes import Attempt
from services.deliveries.sending.request import Unsendable
from services.deliveries.sending.rows import StoredBody, StoredTarget
from services.deliveries.sending.transports import Transport
from services.deliveries.sending.window import Row
from services.runtime.clock import Clock
from services.runtime.observability.tracing import Tracing

log = structlog.get_logger(__name__)


class Attempts:
    """Starts requests and keeps their results until they are taken; calls `ended` after each."""

    def __init__(
        self, clock: Clock, ended: Callable[[], None], tracing: Tracing | None = None
    ) -> None:
        self._clock = clock
        self._tracing = tracing
        self._ended = ended
        self._results: list[Attempt] = []
        self._failed: list[BaseException] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def start(
        self, transport: Transport, row: Row, target: StoredTarget, body: StoredBody | None
    ) -> None:
        """Send a delivery in a task."""
        task = asyncio.create_task(self._deliver(transport, row, target, body))
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def take(self) -> list[Attempt]:
        """The results since the last call.

        Raises:
            Exception: a task ended without a result, as where the clock cannot be read.
        """
        if self._failed:
            raise self._failed.pop()
        results, self._results = self._results, []
        return results

    async def wait(self, seconds: float) -> None:
        """Wait for the requests that are under way, for so long at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def cancel(self) -> None:
        """End all requests and forget their results."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._results.clear()
        self._failed.clear()

    async def _deliver(
        self, transport: Transport, row: Row, target: StoredTarget, body: StoredBody | None
    ) -> None:
        trace = self._trace(body)
        if trace is not None and body is not None:
            body = replace(body, traceparent=str(trace.context))
        response = await self._response(transport, row, target, body)
        if trace is not None:
            trace.end(row, target, response)
        self._results.append(
            Attempt(
                row,
                response.answer,
                self._clock.now(),
                round(response.seconds * 1000),
                response.text,
                target.target.when_exhausted,
                target.target.url or "",
            )
        )

    def _trace(self, body: StoredBody | None) -> AttemptTrace | None:
        """The trace of an attempt; None where the event is not traced."""
        if self._tracing is None or body is None:
            return None
        event = self._tracing.choose(body.handed_on())
        return None if event is None else AttemptTrace(self._tracing, event)

    async def _response(
        self, transport: Transport, row: Row, target: StoredTarget, body: StoredBody | None
    ) -> Response:
        """Make one attempt. An error of it concerns this event alone: others are sent."""
        started, at = time.monotonic(), self._clock.now()
        try:
            return await transport.send(row, target, body, at)
        except Unsendable as error:
            answer = Answer(None, str(error), is_receivers=error.is_receivers)
        except Exception as error:
            kind = type(error).__name__
            log.exception("delivery_not_made", service=SERVICE, event_id=row.event_id, error=kind)
            answer = Answer(None, f"nothing could be sent: {kind}", is_receivers=False)
        return Response(answer, time.monotonic() - started)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failed.append(error)
        self._ended()
