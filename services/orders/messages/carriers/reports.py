"""Reports: what parsers of dialects do alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from services.orders.domain.tracking.scan import Eta, Pickup, Proof
from services.orders.messages.carriers.dialect import Part, SaidScan
from services.orders.messages.carriers.made_ids import made_id
from services.orders.messages.carriers.moments import Moment, moment_of
from services.orders.messages.carriers.plain import (
    ID,
    WORD,
    each_with_pointer,
    member,
    pointer_of,
    text,
)
from services.orders.messages.carriers.resolved_times import resolved
from services.runtime.messages.records import FieldError

ETA_CHANGED = "ETA_CHANGED"
WithT = TypeVar("WithT")


class ReadScans(Struct, frozen=True, gc=False):
    """The scans of a list that can be read, and the errors of the others."""

    scans: list[SaidScan]
    left_out: list[FieldError]


def joined(lists: Iterable[ReadScans]) -> ReadScans:
    """The scans of several lists of one parcel, and their errors; a scan of two is taken once."""
    every, known = ReadScans([], []), set[tuple[Any, ...]]()
    for each in lists:
        new = [said for said in each.scans if _identity(said) not in known]
        every.scans.extend(new)
        every.left_out.extend(each.left_out)
        known.update(map(_identity, new))
    return every


def _identity(said: SaidScan) -> tuple[Any, ...]:
    """What the key of a scan is made of."""
    moment = said.moment
    if said.scan_id is not None:
        return (said.scan_id,)
    words = said.code or said.name or said.text
    return moment.local or moment.at, words, said.retracts


def parts_at(body: Any, *paths: tuple[str, ...]) -> Iterator[Part]:
    """The parcels at the first path that has an object or a list, else the body itself.

    A list has one parcel an entry.
    """
    for path in (*paths, ()):
        found = member(body, *path)
        if isinstance(found, dict | list):
            for pointer, parcel in each_with_pointer(found, pointer_of(*path)):
                yield Part(pointer, parcel)
            return


def text_id(said_at: Any, said: str | None) -> str:
    """An id for a scan whose sender gives it no id, no code and no name that lasts."""
    digest = sha256((said or "").encode("utf-8", "replace")).hexdigest()[:16]
    return f"{text(said_at, WORD)}/{digest}"


def readable(
    entries: Any, pointer: str, read: Callable[[Any, WithT], SaidScan], given: WithT
) -> ReadScans:
    """Read each entry of the list at a pointer; one whose time cannot be read is left out.

    The scans keep their order, and have all that their places and neighbours say of their times.
    `read` is given the entry and `given`, and raises ValueError for a time that is none.
    """
    found = ReadScans([], [])
    for at, entry in each_with_pointer(entries, pointer):
        try:
            found.scans.append(read(entry, given))
        except ValueError as error:
            found.left_out.append(FieldError(at, str(error)))
    return ReadScans(resolved(found.scans), found.left_out)


def eta_scan(eta: Eta | None, said_at: Any, scans: Sequence[SaidScan] = ()) -> Iterable[SaidScan]:
    """A scan for an ETA that a payload says of the parcel and of no scan.

    Its id is the ETA: a payload that says the same again is a repeat. `said_at` is when the payload
    was made; without it the time of the newest of `scans` counts, and without these the ETA is left
    out, since the newest of several would not be known.
    """
    if eta is None:
        return ()
    try:
        moment = moment_of(said_at)
    except ValueError:
        if not scans:
            return ()
        moment = max((said.moment for said in scans), key=lambda each: each.at)
    ends = "/".join(str(end) for end in (eta.earliest, eta.latest))
    return (SaidScan(moment=moment, scan_id=f"eta/{ends}"[:128], name=ETA_CHANGED, eta=eta),)


def status_scan(name: str, said_at: Iterable[Any], scans: Sequence[SaidScan]) -> Iterable[SaidScan]:
    """A scan for a status that a payload says of the parcel, and that none of its scans has.

    `said_at` are the times that the payload gives for the status, best first. Without one that can
    be read the time of the newest of `scans` counts; without these the status is left out. The id
    is the status and the newest scan: the same said again is a repeat.
    """
    newest = max((said.moment for said in scans), key=lambda each: each.at, default=None)
    moment = next(filter(None, map(_moment_or_none, said_at)), newest)
    if moment is None:
        return ()
    since = made_id("", newest) if newest is not None else ""
    return (SaidScan(moment=moment, scan_id=f"status/{name}{since}"[:ID], name=name),)


def _moment_or_none(said_at: Any) -> Moment | None:
    try:
        return moment_of(said_at)
    except ValueError:
        return None


def apart(
    scans: Sequence[SaidScan], statuses: Callable[[str], tuple[str, str]]
) -> Sequence[SaidScan]:
    """The scans, where two of one code and one time that say different things get ids.

    Some carriers have one code for several events, which an aggregator distinguishes by its status.
    Of two scans with one code, time and status one is a repeat. `statuses` splits a name into the
    status and what it says beyond that, "" where that is nothing.
    """
    places: dict[tuple[Any, ...], list[int]] = {}
    for place, said in enumerate(scans):
        if said.scan_id is None and said.code is not None and said.name is not None:
            moment = said.moment
            places.setdefault((moment.local or moment.at, said.code), []).append(place)
    if len(places) == len(scans):
        return scans
    found = list(scans)
    for group in places.values():
        names = sorted({str(scans[place].name) for place in group})
        distinct = [name for name in names if not _is_repeat(statuses(name), map(statuses, names))]
        for place in group:
            said = scans[place]
            if said.name in distinct[1:]:
                found[place] = replace(
                    said, scan_id=made_id(f"{said.code}/{said.name}", said.moment)
                )
    return found


def _is_repeat(own: tuple[str, str], others: Iterable[tuple[str, str]]) -> bool:
    """Whether another of the statuses says the same, and more."""
    return not own[1] and any(other[0] == own[0] and other[1] for other in others)


def with_last(
    scans: Sequence[SaidScan],
    *,
    proof: Proof | None = None,
    pickup: Pickup | None = None,
    eta: Eta | None = None,
    is_end: Callable[[SaidScan], bool] | None = None,
) -> list[SaidScan]:
    """The scans, with what a payload says of the parcel on the last of them by time.

    A proof is on the last scan of which `is_end` says that it is a delivery, if there is one. An
    ETA here is one that the payload says without when it was made.
    """
    found = list(scans)
    if not found or (proof is None and pickup is None and eta is None):
        return found
    order = sorted(range(len(found)), key=lambda index: found[index].moment.at)
    last, says_delivery = order[-1], is_end or _is_named_delivery
    if proof is not None:
        ends = [index for index in order if says_delivery(found[index])]
        place = ends[-1] if ends else last
        found[place] = replace(found[place], proof=proof)
    found[last] = replace(
        found[last], pickup=pickup or found[last].pickup, eta=eta or found[last].eta
    )
    return found


def _is_named_delivery(scan: SaidScan) -> bool:
    return "deliver" in (scan.name or "").lower()
