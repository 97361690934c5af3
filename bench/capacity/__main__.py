"""`python -m bench.capacity`: what an order weighs and costs, measured on this machine.

Writes the part `measured` of orderflow/capacity/costs.json, from which `orderflow capacity`
reckons. Each sample is played twice on servers of its own: once with all services, for the bytes
that it leaves in Kafka and Postgres, and once with one service after the other, for the CPU of
each. The last line is for scripts.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.capacity.ground import Servers, Work, contents, stored, work_of
from bench.usage import cpu_seconds
from demo.installation import Installation
from demo.olist import read_script
from demo.run import stage
from demo.script import Script
from demo.synthetic import synthetic_script
from deploy.stack import LocalStack
from schemas.topics import CLAIMS_COMMANDS
from services import registry

COSTS = Path(__file__).resolve().parents[2] / "orderflow" / "capacity" / "costs.json"
MICRO = 1e6


def main(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of CSV files, a second sample beside a made-up shop."),
    ] = None,
    scale: Annotated[float, typer.Option(help="Size of the made-up shop; 1 is 320 orders.")] = 8.0,
    write: Annotated[bool, typer.Option(help=f"Write {COSTS.name}; else print it.")] = False,
) -> None:
    """Measure the samples, one after the other."""
    scripts = {"made-up shop": synthetic_script(7, scale=scale)}
    if data:
        scripts["olist"] = read_script(data)
    measured = {name: _measure(name, script) for name, script in scripts.items()}
    found = {
        "source": "python -m bench.capacity",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "samples": measured,
    }
    if write:
        costs = json.loads(COSTS.read_text("utf-8")) | {"measured": found}
        COSTS.write_text(json.dumps(costs, indent=2) + "\n", encoding="utf-8")
    else:
        _say(json.dumps(found, indent=2))
    orders = sum(each["contents"]["orders"] for each in measured.values())
    _say(f"capacity: samples={len(measured)} orders={orders}")


def _measure(name: str, script: Script) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(prefix="capacity-") as folder,
        LocalStack(Path(folder) / "stack") as stack,
    ):
        addresses = stack.start()
        pids = {"kafka": [stack.kafka.pid or 0], "postgres": [stack.postgres.pid or 0]}
        data = stack.folder / "kafka" / "data"

        def servers(number: int) -> Servers:
            at = Path(folder) / str(number)
            made = Installation(addresses, at, f"capacity_{os.getpid()}_{number}")
            return Servers(made, pids, data)

        _say(f"{name}: what it leaves")
        left = asyncio.run(stored(servers(1), script))
        _say(f"{name}: what each service takes")
        services = asyncio.run(_taken(servers(2), script))
    return {"contents": contents(script), **left, "services": services}


async def _taken(servers: Servers, script: Script) -> dict[str, Any]:
    """What each consuming service takes for a message, one process after the other."""
    installation = servers.installation
    await installation.create()
    starts = {service: await _start_seconds(servers, service) for service in registry.consumers()}
    async with stage(installation, script.ends_at) as player:
        await player.publish([m for m in script.messages if m.topic != CLAIMS_COMMANDS])
    counts = contents(script)
    found = {}
    for service in registry.consumers():
        work = await work_of(servers, service, {})
        topics = await servers.topics()
        events = sum(topics[name]["records"] for name in ("orders.events", "shipments.events"))
        messages = counts["commands"] + counts["scans"] if service == "orders" else events
        found[service] = _per_message(work, starts[service], messages)
    return found


async def _start_seconds(servers: Servers, service: str) -> float:
    """CPU seconds of a process until it is ready, with nothing to read."""
    async with servers.running(service, {}) as replica:
        assert replica.identity
        return cpu_seconds(replica.identity.pid)


def _per_message(work: Work, start_seconds: float, messages: int) -> Mapping[str, Any]:
    seconds = {**work.cpu, "process": work.cpu["process"] - start_seconds}
    return {
        "messages": messages,
        "us": {name: round(used / messages * MICRO, 1) for name, used in seconds.items()},
        "wal_bytes": round(work.wal_bytes / messages),
        "connections": work.connections,
    }


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a program of the command line


if __name__ == "__main__":
    typer.run(main)
