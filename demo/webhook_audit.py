"""Compares what a webhook receiver got with what the topics hold, by the public contract alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from demo.journal import Entry
from demo.receiver import Request
from schemas.topics import EVENT_TOPICS

PROBLEMS_SHOWN = 10
SNAPSHOT = "order.snapshot"


@dataclass(slots=True)
class WebhookAudit:
    """What was found. `wanted` is how many events the destination must get."""

    wanted: int = 0
    received: int = 0
    missing: int = 0
    repeated: int = 0
    reordered: int = 0
    foreign: int = 0
    """Events that the destination must not get, or whose body is not that of the topic."""
    wrongly_signed: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Each event came once, as it is on its topic, in order, and signed."""
        counts = (self.missing, self.repeated, self.reordered, self.foreign, self.wrongly_signed)
        return not any(counts)

    def line(self) -> str:
        """The counts, for scripts."""
        return (
            f"webhook: events={self.wanted} received={self.received} missing={self.missing} "
            f"repeated={self.repeated} reordered={self.reordered} foreign={self.foreign} "
            f"wrong_signature={self.wrongly_signed}"
        )

    def note(self, text: str) -> None:
        """Keep a problem in words."""
        if len(self.problems) < PROBLEMS_SHOWN:
            self.problems.append(f"webhook: {text}")


def is_wanted(type_: str, ref: str, filters: Iterable[str]) -> bool:
    """Whether an event is sent to a destination with these filters; none here names a snapshot."""
    if type_ == SNAPSHOT:
        return False
    return any(each == "*" or f"{ref}/".startswith(f"{each}/") for each in filters)


def judge_webhook(
    journal: Mapping[str, Sequence[Entry]],
    shop: str,
    filters: Sequence[str],
    requests: Sequence[Request],
) -> WebhookAudit:
    """Judge the requests that a destination of a shop got."""
    wanted: dict[str, tuple[str, Entry]] = {}
    for topic in EVENT_TOPICS:
        for entry in journal[topic]:
            body = entry.body
            type_ = entry.headers.get("ce_type", "")
            if body["shop_slug"] == shop and is_wanted(type_, body["ref"], filters):
                wanted.setdefault(entry.id, (topic, entry))
    found = WebhookAudit(wanted=len(wanted))
    signed = [each for each in requests if each.is_signed]
    found.wrongly_signed = len(requests) - len(signed)
    _check_events(signed, wanted, found)
    for id_ in wanted.keys() - {each.event_id for each in signed}:
        found.missing += 1
        found.note(f"event {id_} was not received")
    return found


def _check_events(
    signed: Sequence[Request], wanted: Mapping[str, tuple[str, Entry]], found: WebhookAudit
) -> None:
    seen: Counter[str] = Counter()
    last: dict[tuple[str, str], int] = {}
    for request in signed:
        seen[request.event_id] += 1
        if seen[request.event_id] > 1:
            found.repeated += 1
            found.note(f"event {request.event_id} came again")
        elif request.event_id not in wanted or request.body != wanted[request.event_id][1].value:
            found.foreign += 1
            found.note(f"event {request.event_id} is not to be sent, or has another body")
        else:
            topic, _ = wanted[request.event_id]
            _check_order(topic, request, last, found)
    found.received = len(seen)


def _check_order(
    topic: str, request: Request, last: dict[tuple[str, str], int], found: WebhookAudit
) -> None:
    body = orjson.loads(request.body)
    group, sequence = (topic, body["order_id"]), body["sequence"]
    if sequence < last.get(group, 0):
        found.reordered += 1
        found.note(f"{topic}: order {group[1]} got {sequence} after {last[group]}")
    last[group] = max(sequence, last.get(group, 0))
