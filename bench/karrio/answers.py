"""What is true of a parcel, what we read, and what karrio says, in forms that can be compared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from services.orders.domain.model.parcel import Parcel as StoredParcel
from services.orders.domain.rules.report_scans import merge_scans
from services.orders.domain.tracking.ordering import Cause
from services.orders.domain.tracking.replay import ReplayedScans, replay
from services.orders.domain.tracking.scan import Eta, Precision, Scan
from services.orders.messages.carriers.registry import DIALECTS
from services.orders.messages.carriers.reports import ETA_CHANGED
from services.orders.messages.decode import TRACKING, read
from services.orders.messages.entries import DecodedItem
from services.runtime.messages.records import Coordinates, Original

CORPUS = Path(__file__).parents[2] / "tests" / "corpus" / "carriers"
AS_OF = datetime(2026, 11, 25, 12, tzinfo=UTC)
"""When a payload was received whose answer does not say it; as in the tests of the corpus."""
_HOUR = re.compile(r"(\d{1,2}):(\d\d)(?::\d\d)?(?: ([AP]M))?")


@dataclass(frozen=True, slots=True)
class Case:
    """A payload and the right answer beside it."""

    dialect: str
    name: str
    payload: bytes
    answer: Mapping[str, Any]

    @property
    def path(self) -> str:
        """The payload's path below the corpus, without its suffix."""
        return f"{self.dialect}/{self.name}"

    @property
    def parcels(self) -> Sequence[Mapping[str, Any]]:
        """The answers of the parcels that are read."""
        return [each for each in self.answer["parcels"] if "rejected" not in each]


@dataclass(frozen=True, slots=True)
class ReadScan:
    """A scan as we read it."""

    event_name: str
    code: str | None
    at: datetime | date
    """The instant in UTC, or the day as it is written."""
    written: frozenset[str]
    """The minute or day on the clocks that the payload may have: of the place, and of UTC."""


@dataclass(frozen=True, slots=True)
class ReadParcel:
    """A parcel as we read it."""

    number: str
    phase: str
    flag: str
    event_name: str | None
    reason: str | None
    delivered_at: datetime | None
    eta: Mapping[str, str] | None
    """Both ends, as an answer has them."""
    zone: str | None
    """Of the newest scan."""
    scans: Sequence[ReadScan]


@dataclass(frozen=True, slots=True)
class SaidEvent:
    """An event as karrio says it."""

    code: str | None
    status: str | None
    reason: str | None
    at: datetime | None
    """karrio's timestamp."""
    written: str | None
    """karrio's date and time, to the minute."""


@dataclass(frozen=True, slots=True)
class SaidParcel:
    """A parcel as karrio says it."""

    number: str
    status: str
    """As its server has it: delivered where it says so; of no status, by whether it has events."""
    eta: str | None
    events: Sequence[SaidEvent]

    @property
    def newest(self) -> SaidEvent | None:
        """The newest event by karrio's own times; of one time the first in its list."""
        return max(self.events, key=lambda event: event.written or "", default=None)


def cases(dialect: str) -> Sequence[Case]:
    """Every payload of a dialect that has an answer, in order of names."""
    return [_case(path) for path in sorted((CORPUS / dialect).glob("*.answer.json"))]


def _case(path: Path) -> Case:
    name = path.name.removesuffix(".answer.json")
    (payload,) = [
        each
        for each in (path.with_name(f"{name}{suffix}") for suffix in (".json", ".xml"))
        if each.exists()
    ]
    return Case(path.parent.name, name, payload.read_bytes(), json.loads(path.read_text("utf-8")))


def read_parcels(case: Case) -> Sequence[ReadParcel]:
    """The parcels of a payload, as we read them."""
    headers = (("ce_type", DIALECTS[case.dialect].types[0].encode()), ("ce_id", b"1"))
    record = Original(Coordinates(TRACKING, 0, 1), b"demo-shop/1", headers, case.payload, AS_OF)
    received = case.answer.get("received_at")
    now = datetime.fromisoformat(received) if received else AS_OF
    return [_read_parcel(each) for each in read(record, now) if isinstance(each, DecodedItem)]


def _read_parcel(item: DecodedItem) -> ReadParcel:
    command: Any = item.command
    merged = merge_scans(StoredParcel(number=command.tracking_number), tuple(command.scans))
    replayed = replay(merged.parcel.scans, AS_OF)
    state = replayed.state
    counted = list(_counted(replayed))
    scans = [_read_scan(scan) for scan in counted]
    return ReadParcel(
        number=command.tracking_number,
        phase=state.phase.value,
        flag=state.flag.value,
        event_name=scans[-1].event_name if scans else None,
        reason=state.why.reason_code if state.why else None,
        delivered_at=state.delivered_at,
        eta=_eta(state.eta) if state.eta else None,
        zone=next((each.timezone for each in reversed(counted)), None),
        scans=scans,
    )


def _eta(eta: Eta) -> Mapping[str, str]:
    ends = {"from": eta.earliest or eta.latest, "to": eta.latest or eta.earliest}
    return {name: end.isoformat() for name, end in ends.items() if end is not None}


def _counted(replayed: ReplayedScans) -> Iterator[Scan]:
    """All scans that are events of the parcel, those that were taken back first."""
    yield from (each.scan for each in replayed.aside if each.cause is Cause.RETRACTED)
    yield from (step.scan for step in replayed.steps if step.scan.event_name != ETA_CHANGED)


def _read_scan(scan: Scan) -> ReadScan:
    if scan.precision is Precision.DAY and scan.written_on:
        day = scan.written_on.isoformat()
        return ReadScan(scan.event_name, scan.code, scan.written_on, frozenset({day}))
    there = scan.occurred_at.astimezone(_zone(scan.timezone))
    clocks = frozenset(minute(each) for each in (there, scan.occurred_at))
    return ReadScan(scan.event_name, scan.code, scan.occurred_at, clocks)


def _zone(name: str | None) -> Any:
    if name is None or name == "Z":
        return UTC
    if name[0] in "+-":
        return datetime.fromisoformat(f"2026-01-01T00:00:00{name}").tzinfo
    return ZoneInfo(name)


def minute(at: datetime) -> str:
    """A time on its own clock, to the minute."""
    return f"{at:%Y-%m-%dT%H:%M}"


def said_parcels(answer: Mapping[str, Any]) -> Sequence[SaidParcel]:
    """The parcels of karrio's answer."""
    return [_said_parcel(each) for each in answer.get("parcels", ())]


def _said_parcel(parcel: Mapping[str, Any]) -> SaidParcel:
    events = [_said_event(each) for each in parcel["events"]]
    status = parcel["status"] or ("in_transit" if events else "pending")
    return SaidParcel(
        number=str(parcel["number"]),
        status="delivered" if parcel["delivered"] else status,
        eta=parcel["estimated_delivery"],
        events=events,
    )


def _said_event(event: Mapping[str, Any]) -> SaidEvent:
    return SaidEvent(
        code=event["code"],
        status=event["status"],
        reason=event["reason"],
        at=_instant(event["timestamp"]),
        written=_written(event["date"], event["time"]),
    )


def _instant(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _written(day: str | None, time: str | None) -> str | None:
    """The date and time of an event of karrio; `16:41 PM` has 24 hours, `04:41 PM` 12."""
    found = _HOUR.fullmatch(time or "")
    if day is None or found is None:
        return day
    hour, half = int(found[1]), found[3]
    if half == "PM" and hour < 12:
        hour += 12
    if half == "AM" and hour == 12:
        hour = 0
    return f"{day}T{hour:02}:{found[2]}"


def days_of(eta: Mapping[str, Any], zone: str | None) -> frozenset[str]:
    """The days that an ETA can be called: those of its window, in UTC and at the newest scan."""
    first, last = (_days(eta[end], zone) for end in ("from", "to"))
    return first | last | frozenset(_between(min(first), max(last)))


def _days(value: str, zone: str | None) -> frozenset[str]:
    if len(value) <= len("2026-11-21"):
        return frozenset({value})
    at = datetime.fromisoformat(value)
    return frozenset(f"{at.astimezone(each):%Y-%m-%d}" for each in (UTC, _zone(zone)))


def _between(first: str, last: str) -> Iterator[str]:
    day = date.fromisoformat(first)
    while day <= date.fromisoformat(last):
        yield day.isoformat()
        day += timedelta(days=1)
