"""Closes a client in bounded time: one cancellation is not always enough.

aiokafka 0.14 awaits tasks that it has cancelled, and sockets with unsent data. If a task's own wait
timed out in the same iteration of the event loop, the task takes the cancellation for the timeout
and continues. If the peer reads no more, the socket never closes. In both cases closing hangs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

PAUSE_SECONDS = 1.0


async def close(closing: Coroutine[Any, Any, object]) -> None:
    """Run a closing coroutine until it has ended; its errors are dropped."""
    await end(asyncio.ensure_future(closing))


async def end(task: asyncio.Future[Any]) -> None:
    """Wait until a task has ended, and cancel it every PAUSE_SECONDS until then."""
    while not task.done():
        try:
            await asyncio.wait([task], timeout=PAUSE_SECONDS)
        finally:
            task.cancel()
    if not task.cancelled():
        task.exception()  # Retrieved, or asyncio would log that it never was.
