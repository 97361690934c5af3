"""Who is right about which fact: the right answer, ours, and karrio's, one beside the other.

The answer was written by hand from the carrier's documentation. A fact is compared where the answer
names it and the connector says facts of its kind at all. Where karrio's terms are wider than ours,
each of its terms that can be meant counts as right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.karrio.answers import (
    Case,
    ReadParcel,
    ReadScan,
    SaidEvent,
    SaidParcel,
    days_of,
    minute,
)
from bench.karrio.terms import accepted_for, accepted_of
from services.orders.domain.tracking.catalogue import Flag, Phase

FACTS: Mapping[str, str] = {
    "parcels": "number of parcels in the payload",
    "status": "status of the parcel, against phase, flag and newest event name",
    "scan": "status of each scan, against its event name",
    "instant": "instant of each scan, to the minute",
    "clock": "date and time of each scan as the payload has them, to the minute, without a zone",
    "delivery": "instant of the delivery, of parcels that were delivered",
    "reason": "family of the reason, where one is named",
    "ETA": "day of the expected arrival, where one is expected",
}
NONE = "none"
_ENDS = ("delivered", "returned", "return_received")
_DAY = len("2026-11-21")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One compared fact."""

    path: str
    fact: str
    subject: str
    """Which parcel or scan."""
    right: str
    ours: str
    karrio: str
    are_we_right: bool
    is_karrio_right: bool

    @property
    def dialect(self) -> str:
        """Our dialect of the payload."""
        return self.path.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Pair:
    """A parcel in all three views."""

    path: str
    answer: Mapping[str, Any]
    ours: ReadParcel
    karrio: SaidParcel

    def verdict(
        self, fact: str, texts: tuple[str, str, str], *, are_we_right: bool, is_karrio_right: bool
    ) -> Verdict:
        """The verdict on a fact of the parcel: right, ours and karrio's as texts."""
        number = self.ours.number
        return Verdict(self.path, fact, number, *texts, are_we_right, is_karrio_right)


def verdicts_of(
    case: Case,
    read: Sequence[ReadParcel],
    said: Sequence[SaidParcel],
    *,
    silent: frozenset[str],
    raised: Sequence[str],
) -> Iterator[Verdict]:
    """Every compared fact of a payload.

    Args:
        case: The payload with its right answer.
        read: The parcels as we read them.
        said: The parcels as karrio says them.
        silent: Facts that the connector never says.
        raised: Exceptions of karrio's parser.
    """
    yield _parcels(case, read, said, raised)
    for pair in _pairs(case, read, said):
        for part in (_status, _scans, _delivery, _reason, _eta):
            yield from (each for each in part(pair) if each.fact not in silent)


def _parcels(
    case: Case, read: Sequence[ReadParcel], said: Sequence[SaidParcel], raised: Sequence[str]
) -> Verdict:
    """A parcel without scans may be left out; an exception is right where there is no parcel."""
    right = len(case.parcels)
    least = right - sum(not each.scans for each in read)
    texts = (
        str(right),
        str(len(read)),
        f"{len(said)}, raised {raised[0]}" if raised else str(len(said)),
    )
    is_said = least <= len(said) <= right
    return Verdict(case.path, "parcels", "", *texts, len(read) == right, is_said)


def _pairs(case: Case, read: Sequence[ReadParcel], said: Sequence[SaidParcel]) -> Iterator[Pair]:
    """Each parcel that karrio gives; of a number that is there twice, by the number of events."""
    unused = list(said)
    for answer, ours in zip(case.parcels, read, strict=False):
        same = [each for each in unused if _is_same(each.number, ours.number)]
        if sum(_is_same(each.number, ours.number) for each in read) > 1:
            same = [each for each in same if len(each.events) == len(ours.scans)]
        if same:
            unused.remove(same[0])
            yield Pair(case.path, answer, ours, same[0])


def _is_same(one: str, other: str) -> bool:
    first, second = ("".join(filter(str.isalnum, each)).lstrip("0") for each in (one, other))
    return first == second


def _status(pair: Pair) -> Iterator[Verdict]:
    answer, ours, status = pair.answer, pair.ours, pair.karrio.status
    if "phase" not in answer:
        return
    event = answer.get("event_name", ours.event_name)
    flag = answer.get("flag", "normal")
    right = "/".join(filter(None, (answer["phase"], event, flag if flag != "normal" else "")))
    yield pair.verdict(
        "status",
        (right, "/".join(filter(None, (ours.phase, ours.event_name))), status),
        are_we_right=ours.phase == answer["phase"] and ours.flag == answer.get("flag", ours.flag),
        is_karrio_right=status in accepted_of(Phase(answer["phase"]), event, Flag(flag)),
    )


def _scans(pair: Pair) -> Iterator[Verdict]:
    if not pair.karrio.events:  # The carrier sent a status alone, of which we make a scan.
        return
    found, unused = list(pair.ours.scans), list(pair.karrio.events)
    for scan in pair.answer.get("scans", ()):
        mine = next((each for each in found if _is_scan(each, scan)), None)
        if mine is not None:
            found.remove(mine)
        event = _event_of(mine, scan, unused) if mine else None
        if event is not None:
            unused.remove(event)
        yield from _of_scan(pair.path, scan, mine, event)


def _is_scan(mine: ReadScan, scan: Mapping[str, Any]) -> bool:
    return mine.event_name == scan["event_name"] and _at(mine) == _said_at(scan)


def _at(mine: ReadScan) -> str:
    """The minute of the instant, or the day."""
    return minute(mine.at) if isinstance(mine.at, datetime) else mine.at.isoformat()


def _said_at(scan: Mapping[str, Any]) -> str:
    text = str(scan["occurred_at"])
    if len(text) <= _DAY:
        return text
    at = datetime.fromisoformat(text)
    return minute(at.astimezone(UTC) if at.tzinfo else at)


def _event_of(
    mine: ReadScan, scan: Mapping[str, Any], events: Sequence[SaidEvent]
) -> SaidEvent | None:
    """The event for a scan: of its time and code, else of its time, else of its code alone."""
    code = str(scan.get("code") or mine.code or "").partition("/")[0]
    of_time = [each for each in events if _is_written(mine, each)]
    of_both = [each for each in of_time if code and code in str(each.code)]
    of_code = [each for each in events if code and each.code == code]
    return next(iter([*of_both, *of_time, *of_code]), None)


def _is_written(mine: ReadScan, event: SaidEvent) -> bool:
    written = event.written or ""
    return (written if isinstance(mine.at, datetime) else written[:_DAY]) in mine.written


def _of_scan(
    path: str, scan: Mapping[str, Any], mine: ReadScan | None, event: SaidEvent | None
) -> Iterator[Verdict]:
    name = "/".join(filter(None, (scan.get("code"), scan["event_name"])))
    right, is_read = _said_at(scan), mine is not None
    ours = _at(mine) if mine else NONE
    clock = (event and event.written) or NONE
    is_written = mine is not None and event is not None and _is_written(mine, event)
    clocks = _or(mine.written) if mine else NONE
    yield Verdict(path, "clock", name, clocks, clocks, clock, is_read, is_written)
    at = minute(event.at) if event and event.at else NONE
    yield Verdict(path, "instant", name, right, ours, at, is_read, at[: len(right)] == right)
    if event is not None and event.status is not None:
        event_name = scan["event_name"]
        named = mine.event_name if mine else NONE
        is_meant = event.status in accepted_for(event_name)
        yield Verdict(path, "scan", name, event_name, named, event.status, is_read, is_meant)


def _delivery(pair: Pair) -> Iterator[Verdict]:
    if not pair.answer.get("delivered_at") or pair.karrio.status != "delivered":
        return
    right = minute(datetime.fromisoformat(pair.answer["delivered_at"]).astimezone(UTC))
    ours = minute(pair.ours.delivered_at) if pair.ours.delivered_at else NONE
    events = pair.karrio.events
    deliveries = [each for each in events if each.status == "delivered"] or events
    said = [minute(each.at) for each in deliveries if each.at]
    yield pair.verdict(
        "delivery",
        (right, ours, _or(said)),
        are_we_right=ours == right,
        is_karrio_right=right in said,
    )


def _reason(pair: Pair) -> Iterator[Verdict]:
    said = pair.karrio.newest.reason if pair.karrio.newest else None
    if "reason" not in pair.answer or not (pair.answer["reason"] or said):
        return
    right, ours = pair.answer["reason"], pair.ours.reason
    yield pair.verdict(
        "reason",
        (right or NONE, ours or NONE, said or NONE),
        are_we_right=ours == right,
        is_karrio_right=said == right,
    )


def _eta(pair: Pair) -> Iterator[Verdict]:
    """After a delivery without an ETA, that day in the member of the estimate is no fault."""
    answer, said = pair.answer, pair.karrio.eta
    if "eta" not in answer or not (answer["eta"] or said):
        return
    if answer["eta"] is None and answer.get("phase") in _ENDS:
        return
    right, ours = (
        days_of(each, pair.ours.zone) if each else frozenset[str]()
        for each in (answer["eta"], pair.ours.eta)
    )
    yield pair.verdict(
        "ETA",
        (_or(right), _or(ours), said or NONE),
        are_we_right=ours == right,
        is_karrio_right=said in right if right else said is None,
    )


def _or(texts: Iterable[str]) -> str:
    return " or ".join(sorted(texts)) or NONE
