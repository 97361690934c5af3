"""Bugs in how batches are decided."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from chaos.patching import patch
from schemas.topics import CLAIMS_OUTCOMES
from services.orders.domain.rules.report_scans import Merged


def dedup_off() -> None:
    """No order remembers which items it has applied."""
    patch("services.orders.store:_unpack", lambda _: lambda *__: ())


def older_items_forgotten() -> None:
    """What an order's row no longer names is not stored apart."""
    patch("services.orders.store:older_than_stored", lambda _: lambda *__: ())


def claim_repeats_unanswered() -> None:
    """A claim command that is sent again has no outcome."""

    def make(found: Any) -> Any:
        def decided_records(*arguments: Any) -> Any:
            for record in found(*arguments):
                if record.topic != CLAIMS_OUTCOMES or b'"duplicate"' not in record.value:
                    yield record

        return decided_records

    patch("services.claims.handler:decided_records", make)


def parking_without_queue() -> None:
    """A parked item holds no later item."""
    patch("services.runtime.parking.gate:ParkingGate._is_held", lambda _: lambda *__: False)


def scans_as_they_come() -> None:
    """Scans are kept, and added up, in the order of their arrival."""

    def merge(parcel: Any, scans: Any) -> Any:
        held = {scan.key: scan for scan in (*parcel.scans, *scans)}
        new = tuple(held[key] for key in sorted(held.keys() - {scan.key for scan in parcel.scans}))
        is_corrected = any(held[scan.key] != scan for scan in parcel.scans)
        changed = replace(parcel, scans=tuple(held.values()), trail=None)
        return Merged(parcel=changed, new=new, is_corrected=is_corrected)

    patch("services.orders.domain.rules.report_scans:merge_scans", lambda _: merge)
    patch("services.orders.domain.tracking.ordering:_ordered", lambda _: list)
