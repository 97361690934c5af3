"""A Postgres that follows another one and can take its place."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import asyncpg

from deploy.stack import process
from deploy.stack.postgres import Postgres

COPY_SECONDS = 60.0
IN_STEP_SECONDS = 30.0


async def follow(primary: Postgres, folder: Path) -> Postgres:
    """A standby of `primary` that streams; no commit is acknowledged before it has it."""
    standby = Postgres(folder)
    await asyncio.to_thread(_copy, primary, folder)
    await asyncio.to_thread(standby.start)
    there = await asyncpg.connect(primary.url)
    try:
        await there.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        await there.execute("SELECT pg_reload_conf()")
        async with asyncio.timeout(IN_STEP_SECONDS):
            while not await there.fetchval(
                "SELECT bool_or(sync_state = 'sync') FROM pg_stat_replication"
            ):
                await asyncio.sleep(0.05)
    finally:
        await there.close()
    return standby


def _copy(primary: Postgres, folder: Path) -> None:
    data = folder / "data"
    data.mkdir(mode=0o700)
    of_primary = primary._data.stat()
    os.chown(data, of_primary.st_uid, of_primary.st_gid)
    command = [primary._binary("pg_basebackup"), "-D", str(data), "-d", primary.url]
    command += ["--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream"]
    process.run(primary._program("pg_basebackup", command), COPY_SECONDS)
