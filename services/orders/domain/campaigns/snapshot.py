"""Snapshot: what a campaign, discount or test is now, for subscribers that start."""

from __future__ import annotations

from datetime import datetime

from services.orders.domain.campaigns.book import as_of, state_of
from services.orders.domain.model.campaigns import CampaignsEvent, Entry, Kind
from services.orders.domain.model.ids import entry_id_of, event_id_of

CAUSE = "orderflow/republish"


def snapshot_of(entry: Entry, sequence: int, now: datetime) -> CampaignsEvent | None:
    """The snapshot of an entry; None where it was never upserted.

    It is no new fact, so `sequence` is the number of the shop's last event. Its id names the state:
    two snapshots of one state have the same id.
    """
    held = as_of(entry, None)
    if held is None:
        return None
    type_, newest = f"{entry.kind}.snapshot", entry.versions[-1]
    is_campaign = entry.kind is Kind.CAMPAIGN
    state = state_of(entry, now).value if is_campaign else None
    cause = f"{newest.version_id}/{len(entry.versions)}/{state or ''}"
    return CampaignsEvent(
        type=type_,
        event_id=event_id_of(entry_id_of(*entry.name), None, type_, cause),
        shop=entry.shop,
        sequence=sequence,
        kind=entry.kind,
        entry_id=entry.entry_id,
        version=newest,
        content=held.content,
        is_newest=True,
        state=state,
        previous_state=state,
        properties=entry.properties,
        triggered_at=now,
        causation_id=CAUSE,
    )
