"""One performance: services up, a script played, everything counted from outside, services down."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.live import Live

from demo.audit import Audit, judge, read_journal
from demo.comparison import differences, differences_in_time
from demo.expectation import Totals
from demo.groups import READS, Groups
from demo.installation import Installation
from demo.player import Player
from demo.receiver import receiving
from demo.replicas import SERVICES, Replica, replicas, start_all, stop_all
from demo.screen import Screen
from demo.script import Script
from demo.watcher import Unanswered, Watcher
from demo.webhook_audit import WebhookAudit, judge_webhook
from demo.webhooks import FILTERS, webhook_of
from services.analytics.operations.report import Dimension, Figures, ReportQuery, read_report
from services.runtime.clock import set_clock

FRAMES_PER_SECOND = 4
LAG_SECONDS = 1.0
PICTURE_AT = 0.7


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a performance."""

    audit: Audit
    differences: list[str]
    figures: Figures
    webhook: WebhookAudit
    seconds: float

    @property
    def is_right(self) -> bool:
        """Nothing lost, doubled or reordered, also at the webhook, and every answer right."""
        return self.audit.is_clean and self.webhook.is_clean and not self.differences

    def last_line(self) -> str:
        """The line that a script can read."""
        found = self.audit
        return (
            f"demo: orders={len(found.orders)} shipments={len(found.shipments)} "
            f"scans={found.scans} order_events={found.order_events} "
            f"shipment_events={found.shipment_events} claims={found.claims} lost={found.lost} "
            f"duplicated={found.duplicated} reordered={found.reordered} "
            f"seconds={self.seconds:.0f}"
        )


async def perform(
    script: Script, installation: Installation, console: Console
) -> tuple[Finding, Screen]:
    """Play the script through the services, live on `console`, and judge what came of it.

    Raises:
        NotReady, Unanswered: a service did not start, or did not answer.
    """
    started = time.monotonic()
    async with receiving() as receiver:
        webhook = webhook_of(script, receiver)
        environment = {**installation.environment, **webhook.environment}
        services = replicas(installation.folder / "logs", environment)
        try:
            async with stage(installation, script.messages[0].at) as player:
                with console.status(f"Starting the services: {', '.join(SERVICES)}"):
                    await asyncio.to_thread(start_all, services)
                await webhook.subscribe(installation, player.watcher)
                screen = Screen(script.name, player.watcher, player, receiver)
                await _play_live(script, screen, services, console)
                await webhook.finish(player.watcher)
            figures = await report(installation)
        finally:
            await asyncio.shield(asyncio.to_thread(stop_all, services))
    journal = await read_journal(installation.options, installation.prefix)
    found = judge(journal)
    received = judge_webhook(journal, webhook.shop, FILTERS, receiver.requests)
    wrong = differences(script.expectation, found)
    wrong += differences_in_time(script.expectation, found)
    wrong += differing_totals(script.expectation.totals, figures)
    return Finding(found, wrong, figures, received, time.monotonic() - started), screen


@asynccontextmanager
async def stage(installation: Installation, at: datetime) -> AsyncIterator[Player]:
    """A player with its watcher, in front of services that run already; sets the clock."""
    set_clock(installation.clock_file, at)
    watcher = Watcher(installation.options, installation.prefix)
    await watcher.start()
    try:
        async with Groups(installation.options, installation.prefix) as groups:
            yield Player(
                options=installation.options,
                prefix=installation.prefix,
                watcher=watcher,
                groups=groups,
                clock_file=installation.clock_file,
                now=at,
            )
    finally:
        await watcher.stop()


async def _play_live(
    script: Script, screen: Screen, services: Sequence[Replica], console: Console
) -> None:
    with Live(screen, console=console, refresh_per_second=FRAMES_PER_SECOND):
        measuring = asyncio.create_task(_measure(screen, len(script.messages)))
        try:
            await screen.player.play(script)
        except Unanswered as error:
            raise Unanswered(f"{error}\n{ailments(services)}") from None
        finally:
            measuring.cancel()
            with contextlib.suppress(asyncio.CancelledError, KafkaError, OSError):
                await measuring
        screen.lags.update(dict.fromkeys(READS, 0))


def ailments(services: Sequence[Replica]) -> str:
    """What the replicas that are not ready say of themselves."""
    ailing = [f"{each.name}: {each.health()}" for each in services if not each.is_ready()]
    return "\n".join(ailing) or "every service says that it is ready"


async def _measure(screen: Screen, messages: int) -> None:
    while True:
        screen.sample()
        if screen.player.sent > PICTURE_AT * messages:
            screen.picture = screen.picture or screen.as_svg()
        for service in READS:
            screen.lags[service] = await screen.player.groups.lag(service)
        await asyncio.sleep(LAG_SECONDS)


async def report(installation: Installation) -> Figures:
    """The analytics service's figures over everything."""
    connection = await asyncpg.connect(
        installation.database_url, server_settings={"search_path": "analytics"}
    )
    try:
        found = await read_report(connection, ReportQuery(by=Dimension.TOTAL))
    finally:
        await connection.close()
    return found.rows[0]


def totals_in(figures: Figures) -> Totals:
    """The report's figures, named as in the right answer."""
    return Totals(
        orders=figures.orders,
        parcels_expected=figures.parcels_expected or 0,
        parcels_handed_over=figures.parcels_handed_over,
        parcels_delivered=figures.parcels_delivered,
        orders_late=figures.orders_late,
        parcels_late=figures.parcels_late,
        orders_cancelled=figures.orders_cancelled or 0,
        cancelled_after_hand_over=figures.orders_cancelled_after_handover or 0,
        item_value={code: value for code, value in figures.item_value.items() if value},
    )


def differing_totals(wanted: Totals, figures: Figures) -> list[str]:
    """Which figures of the report are not as they must be."""
    found = totals_in(figures)
    return [
        f"report: {name} is {getattr(found, name)}, should be {getattr(wanted, name)}"
        for name in Totals.__dataclass_fields__
        if getattr(found, name) != getattr(wanted, name)
    ]
