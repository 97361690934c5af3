"""The deliveries service in a process of its own; its argument is a file of settings."""

import asyncio
import json
import sys
from pathlib import Path

from services.deliveries.app import build
from services.runtime.config.settings import Settings


async def serve(settings: Settings) -> None:
    """Run the service until the process is killed."""
    await build(settings).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Settings(**json.loads(Path(sys.argv[1]).read_text()))))
