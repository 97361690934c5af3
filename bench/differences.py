"""What a contender's records hold and lack, against ours, read from its topics after a lap."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.traffic import Letter
from demo.installation import Installation
from demo.journal import Entry, read_all
from schemas.topics import CARRIER_TRACKING, CATALOGUE, ORDERS_COMMANDS, ORDERS_EVENTS


@dataclass(frozen=True, slots=True)
class Records:
    """The records that some commands caused, means over those commands.

    A field is a path within an event's body (`context.order.products[].title`) that has a value in
    some event: neither null nor an empty list, object or text.
    """

    contender: str
    commands: int
    records: Mapping[str, float]
    """By topic."""
    value_bytes: Mapping[str, float]
    """Of one record, by topic."""
    header_bytes: Mapping[str, float]
    """Names and values of one record's headers, by topic."""
    headers: Mapping[str, Sequence[str]]
    """Names, by topic."""
    fields: Sequence[str]
    empty_fields: float
    """Members of an event's body that are null or empty."""


async def read(contender: str, installation: Installation, letters: Iterable[Letter]) -> Records:
    """What the commands caused on every topic that is no input."""
    topics = [
        each.name for each in CATALOGUE if each.name not in (ORDERS_COMMANDS, CARRIER_TRACKING)
    ]
    journal = await read_all(installation.options, installation.prefix, topics)
    asked = {dict(letter.headers)["ce_id"].decode() for letter in letters}
    entries = [entry for topic in topics for entry in journal[topic]]
    return records_of(contender, asked, entries)


def records_of(contender: str, commands: set[str], entries: Iterable[Entry]) -> Records:
    """The figures of the entries that these commands caused."""
    by_topic: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.headers.get("ce_causationid") in commands:
            by_topic.setdefault(entry.topic, []).append(entry)
    events = [list(_leaves(entry.body)) for entry in by_topic.get(ORDERS_EVENTS, ())]
    fields = {path for event in events for path, is_empty in event if not is_empty}
    empty = [sum(is_empty for _, is_empty in event) for event in events]
    return Records(
        contender=contender,
        commands=len(commands),
        records={topic: len(each) / len(commands) for topic, each in by_topic.items()},
        value_bytes={
            topic: statistics.fmean(len(entry.value) for entry in each)
            for topic, each in by_topic.items()
        },
        header_bytes={
            topic: statistics.fmean(_bytes_of(entry.headers) for entry in each)
            for topic, each in by_topic.items()
        },
        headers={
            topic: sorted(Counter(name for entry in each for name in entry.headers))
            for topic, each in by_topic.items()
        },
        fields=sorted(fields),
        empty_fields=statistics.fmean(empty) if empty else 0.0,
    )


def _bytes_of(headers: Mapping[str, str]) -> int:
    return sum(len(name.encode()) + len(value.encode()) for name, value in headers.items())


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, bool]]:
    """Every member that holds no other, and whether it is null or empty."""
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _leaves(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for each in value:
            yield from _leaves(each, f"{path}[]")
    else:
        yield path, value is None or value in ("", [], {})


def differences(ours: Records, theirs: Records) -> list[str]:
    """What theirs lacks and has more than ours, a sentence each; none where there is no such."""
    compared = [("fields of events", ours.fields, theirs.fields)]
    for topic in sorted({*ours.records, *theirs.records}):
        name = f"headers on {topic}"
        compared.append((name, ours.headers.get(topic, ()), theirs.headers.get(topic, ())))
    lines = []
    for name, mine, other in compared:
        if lacking := _summed_up(set(mine) - set(other), set(other)):
            lines.append(f"lacks {name}: {', '.join(lacking)}")
        if more := _summed_up(set(other) - set(mine), set(mine)):
            lines.append(f"has other {name}: {', '.join(more)}")
    return lines


def _summed_up(fields: set[str], others: set[str]) -> list[str]:
    """Fields in order; those under one that the others have nothing of are listed together."""
    counted = Counter(_first_without(field, others) for field in fields)
    return [
        f"{name} ({count} fields)" if count > 1 else name for name, count in sorted(counted.items())
    ]


def _first_without(field: str, others: set[str]) -> str:
    """The shortest beginning of a path under which the others have nothing."""
    names = field.split(".")
    for length in range(1, len(names)):
        start = ".".join(names[:length])
        if not any(other == start or other.startswith(f"{start}.") for other in others):
            return start
    return field
