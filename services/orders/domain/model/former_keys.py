"""Former keys: scans that an earlier version stored under another key (docs/decisions/0160).

Earlier versions made the key of a scan with an unknown name, and without a code, of `UNMAPPED`. A
repeat of such a scan gets the stored key: so it is the stored scan, and has its published event.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter

from services.orders.domain.model.ids import scan_key
from services.orders.domain.model.known_scans import digest_of_key
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.tracking.catalogue import UNMAPPED
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import replace


def former_place(number: str, held: Sequence[Scan], scan: Scan) -> int | None:
    """The index of a scan that `held`, in order of key, has under its former key; else None.

    The first unknown name of an instant is taken for the stored one, which has no name.
    """
    former = _former_key(number, scan)
    if former is None:
        return None
    place = bisect_left(held, former, key=_key_of)
    if place == len(held) or held[place].key != former:
        return None
    return place if held[place].name in (None, scan.name) else None


def with_folded_keys(parcel: Parcel, scans: tuple[Scan, ...]) -> tuple[Scan, ...]:
    """The scans, under their former keys where they were folded under these."""
    known = parcel.known.digests if parcel.known is not None else frozenset[str]()
    rekeyed: list[Scan] = []
    for scan in scans:
        former = _former_key(parcel.number, scan) if scan.name is not None else None
        is_folded = former is not None and digest_of_key(former) in known
        rekeyed.append(replace(scan, key=former) if former and is_folded else scan)
    return tuple(rekeyed)


def _former_key(number: str, scan: Scan) -> str | None:
    """The key that an earlier version made; None where it is the present one.

    Only scans of our own form were read by earlier versions; others have a code set.
    """
    if scan.name is None or scan.code is not None or scan.code_set is not None:
        return None
    if scan.scan_id is not None or scan.retracts is not None:
        return None
    return scan_key(
        number=number,
        carrier=scan.carrier,
        scan_id=None,
        name=UNMAPPED,
        code=None,
        occurred_at=scan.occurred_at,
    )


_key_of = attrgetter("key")
