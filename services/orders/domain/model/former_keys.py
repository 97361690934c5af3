"""Former keys: those that earlier versions made of scans with unknown names (decision 0160).

They made the key of a scan with an unknown name, and without a code, of `UNMAPPED`: two such scans
at one instant were one. The first unknown name of an instant still has that key, so that its event
has the id that was published; only a second one has a key of its own name.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter

from services.orders.domain.model.ids import scan_key
from services.orders.domain.model.known_scans import digest_of_key
from services.orders.domain.model.parcel import Parcel
from services.orders.domain.tracking.catalogue import UNMAPPED
from services.orders.domain.tracking.naming import said_form
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.value import replace


def with_former_key(number: str, held: Sequence[Scan], scan: Scan) -> Scan:
    """A scan that `held`, in order of key, has not under its own key, under its former one.

    It keeps its own where the former is that of a scan with another name. A stored scan without a
    name is of a version that did not keep names, and counts as the same.
    """
    former = _former_key(number, scan)
    if former is None:
        return scan
    place = bisect_left(held, former, key=_key_of)
    is_held = place < len(held) and held[place].key == former
    return scan if is_held and _has_other_name(held[place], scan) else replace(scan, key=former)


def with_folded_keys(parcel: Parcel, scans: tuple[Scan, ...]) -> tuple[Scan, ...]:
    """The scans, under their former keys where they were folded under these."""
    known = parcel.known.digests if parcel.known is not None else frozenset[str]()
    rekeyed: list[Scan] = []
    for scan in scans:
        former = _former_key(parcel.number, scan) if scan.name is not None else None
        is_folded = former is not None and digest_of_key(former) in known
        if former is None or not is_folded or digest_of_key(scan.key) in known:
            rekeyed.append(scan)
        else:
            rekeyed.append(replace(scan, key=former))
    return tuple(rekeyed)


def _has_other_name(one: Scan, other: Scan) -> bool:
    names = (one.name, other.name)
    return None not in names and len({said_form(name or "") for name in names}) > 1


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
