"""Ending what a library was asked to close: one cancellation is not always enough.

aiokafka (0.14) awaits tasks that it has cancelled, and sockets that have yet to send what is
written. A task whose own wait timed out in the same turn takes the cancellation for that time-out
and goes on, and a peer that reads no more never lets the socket finish: then closing never ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

PAUSE_SECONDS = 1.0


async def close(closing: Coroutine[Any, Any, object]) -> None:
    """Run what closes something to its end; whether it failed is nobody's business any more."""
    await end(asyncio.ensure_future(closing))


async def end(task: asyncio.Future[Any]) -> None:
    """Wait until a task has ended, and cancel it after each pause until then."""
    while not task.done():
        try:
            await asyncio.wait([task], timeout=PAUSE_SECONDS)
        finally:
            task.cancel()
    if not task.cancelled():
        task.exception()  # Heard of; else asyncio would tell it.
