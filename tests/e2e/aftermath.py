"""What tests of rebuilding and restoring share: commands, tables, and a subscriber outside."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg

from demo.journal import Entry, read_all
from demo.script import Script
from schemas.topics import CATALOGUE, EVENT_TOPICS
from tests.processes import ANSWER_SECONDS, System

WHY = ("--why", "tried by a test", "--by", "test")
COMMAND_SECONDS = 120
SNAPSHOT = "order.snapshot"
# What only says when a row was written.
AUDIT_COLUMNS = {"updated_at"}

Journal = dict[str, list[Entry]]


async def orderflow(system: System, *arguments: str, fails: bool = False) -> str:
    """Run a command as an operator does; returns what it printed."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "orderflow", *arguments],
        env={**os.environ, **system.installation.environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )
    assert (done.returncode != 0) is fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout


async def until_no_lag(system: System, *services: str) -> None:
    """Wait until `orderflow partitions list` shows that the services have read all there is."""
    async with asyncio.timeout(ANSWER_SECONDS * 3):
        while any([await lag(system, service) for service in services]):
            pass


async def lag(system: System, service: str) -> int:
    """How many records a service has not applied, by its own positions."""
    printed = await orderflow(system, "partitions", "list", "--service", service, "--json")
    return sum(json.loads(line)["lag"] for line in printed.splitlines())


async def until_reviewed(system: System, services: Sequence[str] = ("orders",)) -> None:
    """Wait until no changed campaign has orders left to look at, and all was read that came of it.

    Raises:
        TimeoutError: reviews are left.
    """
    async with asyncio.timeout(ANSWER_SECONDS):
        while await system.ask("SELECT id FROM orders.campaign_review LIMIT 1"):
            await asyncio.sleep(0.1)
    await system.groups.until_all_read(ANSWER_SECONDS, services)


async def on_server(system: System, statement: str) -> None:
    """Run a statement beside the installation's database."""
    connection = await asyncpg.connect(system.installation.addresses.database_url)
    try:
        await connection.execute(statement.replace("{name}", system.installation.name))
    finally:
        await connection.close()


def halves(script: Script) -> tuple[Script, Script]:
    """What is played before something is lost, and the rest."""
    middle = len(script.messages) * 2 // 3
    return (
        replace(script, messages=script.messages[:middle]),
        replace(script, messages=script.messages[middle:]),
    )


async def tables(system: System, keys: Mapping[str, str]) -> dict[str, dict[Any, dict[str, Any]]]:
    """The rows of tables, by table and key."""
    return {
        table: {row[key]: _read(row) for row in await system.ask(f"SELECT * FROM {table}")}
        for table, key in keys.items()
    }


def _read(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in row.items() if name not in AUDIT_COLUMNS}
    for name in {"context", "details", "document"} & found.keys():
        found[name] = without_claimed(json.loads(found[name] or "null"))
    return found


def without_claimed(value: Any) -> Any:
    """A value without what a ledger says of claims: a claim is no step of `order_version`.

    So two events of one version may differ in it (docs/contract/subscribers.md).
    """
    if isinstance(value, list):
        return [without_claimed(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: [{k: v for k, v in line.items() if k != "claimed"} for line in member]
        if name == "ledger" and member
        else without_claimed(member)
        for name, member in value.items()
    }


async def read_journal(system: System) -> Journal:
    """All records of all topics, as any outsider can read them."""
    topics = [topic.name for topic in CATALOGUE]
    return await read_all(system.installation.options, system.installation.prefix, topics)


def facts_alone(journal: Journal) -> Journal:
    """Without snapshots, which are no facts and take no numbers."""
    return {
        topic: [entry for entry in entries if entry.headers.get("ce_type") != SNAPSHOT]
        for topic, entries in journal.items()
    }


@dataclass(slots=True)
class Subscriber:
    """One that follows docs/contract/subscribers.md: what it did, and the orders as it has them."""

    done: list[str] = field(default_factory=list)
    """Ids of the events it acted on."""
    orders: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    """The version and the snapshot it keeps of each order."""

    def follow(self, journal: Mapping[str, Sequence[Entry]]) -> None:
        """Read the topics one after the other: no order is promised between them."""
        for topic in EVENT_TOPICS:
            marks: dict[str, int] = {}
            for entry in sorted(journal[topic], key=lambda each: (each.partition, each.offset)):
                event = entry.body
                sequence = event["sequence"]
                if sequence > marks.get(entry.key, 0):
                    marks[entry.key] = sequence
                    if event["event_name"] != "ORDER_SNAPSHOT":
                        self.done.append(entry.id)
                self._keep(entry.key, event)

    def _keep(self, order: str, event: Mapping[str, Any]) -> None:
        version, snapshot = event["order_version"], event["context"]["order"]
        if snapshot and version > self.orders.get(order, (0, {}))[0]:
            self.orders[order] = (version, snapshot)
