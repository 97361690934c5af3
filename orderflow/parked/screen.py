"""Parked items, and what became of them, on the screen and as JSON."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.markup import escape
from rich.text import Text

from orderflow.console.originals import headers_as_json, show_record, text_of, value_as_json
from orderflow.console.terminal import out
from orderflow.parked.act import ActResult
from orderflow.parked.find import FoundItem, spot_named
from services.runtime.batch.items import WHOLE, FailureKind, Parked
from services.runtime.messages.records import readable_envelope
from services.runtime.parking.selection import Neighbours

OUTCOMES = ("applied", "no_change", "rejected", "waiting", "parked", "behind")
_WORDS = {
    "no_change": "no change",
    "waiting": "waits for what it names",
    "parked": "failed again",
    "behind": "stays behind what is parked",
}


# What is parked.


def show_list(items: Sequence[FoundItem]) -> None:
    """Two lines an item: what it is and how it stands, then the error."""
    rows = [_cells(held) for held in items]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for held, row in zip(items, rows, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        is_behind = held.parked.failure.kind is FailureKind.BEHIND
        out.print(Text("  ".join(cells).rstrip(), "dim" if is_behind else "bold"))
        if not is_behind:
            out.print(Text(f"    {held.parked.failure.error}"))


def _cells(held: FoundItem) -> tuple[str, ...]:
    parked = held.parked
    return (
        str(parked.position),
        held.service,
        str(spot_named(parked)),
        parked.type or "-",
        parked.failure.kind,
        f"tried {parked.attempts}x" if parked.attempts else "",
        f"next {_next_try(parked)}",
        f"+{parked.behind} behind" if parked.behind else "",
    )


def _next_try(parked: Parked) -> str:
    if parked.next_try_at is not None:
        return f"{_second(parked.next_try_at)}Z"
    return (
        "by an operator only"
        if parked.failure.kind is FailureKind.CRASH
        else "after what is before it"
    )


def show(held: FoundItem, around: Neighbours) -> None:
    """One parked item whole, and who stands around it."""
    parked, original = held.parked, held.parked.original
    envelope = readable_envelope(original)
    out.print(
        f"[bold]{parked.position}[/] {escape(str(spot_named(parked)))} parked by {held.service}"
    )
    lines = {
        "kind": f"{parked.failure.kind}: {parked.failure.error}",
        "parked": f"{_second(parked.parked_at)}Z, business time",
        "tried": f"{parked.attempts}x, last {_second(parked.last_tried_at)}Z",
        "next": _next_try(parked),
        "type": parked.type or "-",
        "key": text_of(original.key),
        "sender": envelope.source or "-",
        "id": envelope.id or "- (known by where it lay)",
        "item": f"{parked.item_id or '-'}",
        "names": ", ".join(sorted(parked.keys)) or "-",
        "after": ", ".join(map(_named, around.ahead)) or "nothing",
    }
    for name, text in lines.items():
        out.print(f"  [dim]{name:<9}[/]{escape(text)}")
    if parked.failure.traceback:
        out.print("traceback", style="bold")
        out.print(Text(parked.failure.traceback.rstrip()))
    show_record(original.headers, original.value, None if parked.index == WHOLE else parked.index)
    out.print(Text.assemble(("behind it", "bold"), f"  {around.behind_total}"))
    for each in around.behind:
        out.print(f"  {_named(each)}  {each.type or '-'}", markup=False)
    if around.behind_total > len(around.behind):
        out.print("  …")


def _named(parked: Parked) -> str:
    return f"{parked.position} ({spot_named(parked)})"


def as_json(held: FoundItem) -> dict[str, Any]:
    """An item for scripts."""
    parked, at = held.parked, held.parked.original.coordinates
    return {
        "service": held.service,
        "place": str(parked.position),
        "topic": at.topic,
        "partition": at.partition,
        "offset": at.offset,
        "index": parked.index,
        "item_id": parked.item_id,
        "key": text_of(parked.original.key) if parked.original.key is not None else None,
        "type": parked.type,
        "kind": parked.failure.kind,
        "error": parked.failure.error,
        "parked_at": parked.parked_at,
        "attempts": parked.attempts,
        "last_tried_at": parked.last_tried_at,
        "next_try_at": parked.next_try_at,
        "behind": parked.behind,
    }


def whole_as_json(held: FoundItem, around: Neighbours) -> dict[str, Any]:
    """The same with all that is kept of it, and who stands around it."""
    original = held.parked.original
    return as_json(held) | {
        "behind": around.behind_total,
        "names": sorted(held.parked.keys),
        "traceback": held.parked.failure.traceback,
        "before_it": [str(each.position) for each in around.ahead],
        "behind_it": [str(each.position) for each in around.behind],
        "original_headers": headers_as_json(original.headers),
        "original": value_as_json(original.value),
    }


# What became of it.


def result_line(result: ActResult, *, is_try: bool) -> str:
    """One item after an act, or as it would be."""
    parked = result.parked
    words = [
        (f"{count} " if len(result.became) > 1 else "") + _WORDS.get(became, became)
        for became, count in result.became.items()
    ]
    detail = f": {result.detail}" if result.detail else ""
    verb = "would be: " if is_try else ""
    said = f"{verb}{', '.join(words)}{detail}"
    return f"{parked.position}  {spot_named(parked)}  {parked.type or '-'}  {said}"


def result_as_json(result: ActResult, *, is_try: bool) -> dict[str, Any]:
    """The same for scripts."""
    at = result.parked.original.coordinates
    return {
        "service": result.service,
        "place": str(result.parked.position),
        "topic": at.topic,
        "partition": at.partition,
        "offset": at.offset,
        "index": result.parked.index,
        "act": result.act,
        "became": result.outcome,
        "detail": result.detail,
        "done": not is_try,
    }


def counts(became: Counter[str]) -> str:
    """How many became what, for the last line."""
    return " ".join(f"{name}={became[name]}" for name in OUTCOMES)


def _second(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
