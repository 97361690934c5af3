"""The orders service in a process that is killed at its first commit, before anything is published.

Its argument is a file of settings.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from services.orders.app import build
from services.runtime.config.settings import Settings
from services.runtime.outbox.relay import Relay


async def serve(settings: Settings) -> None:
    """Run until the first batch is committed."""
    await build(settings).start()
    await asyncio.Event().wait()


async def wait_for_ever(_: Relay) -> None:
    """In place of `Relay.run`: rows stay in the outbox."""
    await asyncio.Event().wait()


if __name__ == "__main__":
    Relay.run = wait_for_ever
    Relay.wake = lambda _: os.kill(os.getpid(), signal.SIGKILL)
    asyncio.run(serve(Settings(**json.loads(Path(sys.argv[1]).read_text()))))
