"""Storno: a scan of DHL Paket that takes the event before it back, and does not name it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from services.orders.messages.carriers.dialect import SaidScan

STORNO = "STORN"
_DATA_CLASSES = ("VA", "DD", "GT")
"""Classes of events that DHL's systems write about data and money."""


def is_of_data(code: str | None) -> bool:
    """Whether an event is about data or money: it has no place, and no driver deletes it."""
    return code is not None and code.rpartition("/")[2] in _DATA_CLASSES


def with_retractions(scans: Sequence[SaidScan]) -> list[SaidScan]:
    """Scans in their order, each storno with the id of the scan that it takes back.

    That is the newest scan before it that has been taken back by no other storno. Of one minute the
    order of the list decides.
    """
    found = list(scans)
    if not any(map(_is_storno, found)):
        return found
    before: list[int] = []
    for index in _by_time(found):
        if not _is_storno(found[index]):
            if _is_of_the_parcel(found[index]):
                before.append(index)
        elif before:
            found[index] = replace(found[index], retracts=found[before.pop()].scan_id)
    return found


def _by_time(scans: Sequence[SaidScan]) -> list[int]:
    """The places of the scans in order of time; a list may have the newest first."""
    places = list(range(len(scans)))
    if scans[0].moment.at > scans[-1].moment.at:
        places.reverse()
    return sorted(places, key=lambda place: scans[place].moment.at)


def _is_storno(said: SaidScan) -> bool:
    return said.code is not None and said.code.split("/")[0] == STORNO


def _is_of_the_parcel(said: SaidScan) -> bool:
    return said.scan_id is not None and not is_of_data(said.code)
