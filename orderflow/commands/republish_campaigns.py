"""`orderflow republish --campaigns`: publish campaigns, discounts and tests as snapshots."""

from __future__ import annotations

import time

from orderflow.console.databases import opened
from orderflow.console.terminal import out
from services.orders.operations.republish_campaigns import CampaignRepublisher
from services.runtime.clock import clock_of
from services.runtime.config.settings import Settings
from services.runtime.operations.audit import Act, Signature

ACT = "campaigns.republish"


async def republish_campaigns(
    settings: Settings, shop: str | None, signature: Signature, is_try: bool
) -> None:
    """Publish those of a shop, or of all; the last line says how many."""
    async with opened(settings, "orders") as connection:
        republisher = CampaignRepublisher(settings, connection, clock_of(settings).now)
        if is_try:
            count = await republisher.count(shop)
            out.print(f"republish: campaigns={count} dry_run=yes", markup=False)
            return
        act = Act(ACT, signature.actor, signature.reason, detail={"shop": shop})
        published, started = 0, time.monotonic()
        async for published in republisher.run(shop, act):  # noqa: B007 - the last is shown
            pass
        seconds = time.monotonic() - started
        line = f"republish: campaigns={published} complete=yes seconds={seconds:.1f}"
        out.print(line, markup=False)
