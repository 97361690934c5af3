"""Refused items on the screen, and as JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.markup import escape
from rich.text import Text

from orderflow.console.originals import headers_as_json, show_record, text_of, value_as_json
from orderflow.console.terminal import out
from orderflow.rejected.query import OriginalBytes, RejectedItem
from orderflow.rejected.resend import Sent, places


def show_list(items: Sequence[RejectedItem]) -> None:
    """Two lines an item: what it is and why it was rejected, then the reason in words."""
    rows = [_cells(item) for item in items]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for item, row in zip(items, rows, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        style = "dim" if item.resent_times else "bold"
        out.print(Text("  ".join(cells).rstrip(), style))
        out.print(Text(f"    {item.detail}", "dim" if item.resent_times else ""))


def _cells(item: RejectedItem) -> tuple[str, ...]:
    return (
        f"{item.rejected_at.astimezone(UTC):%Y-%m-%d %H:%MZ}",
        spot(item),
        item.type or "-",
        text_of(item.key),
        item.reason,
        f"resent {item.resent_times}x" if item.resent_times else "",
    )


def spot(item: RejectedItem) -> str:
    """Where it lies; with its index where its message holds many."""
    return str(item.spot if item.of_many else item.coordinates)


def show(item: RejectedItem, original: OriginalBytes) -> None:
    """One rejected item whole."""
    out.print(f"[bold]{escape(spot(item))}[/] rejected by {item.service}")
    lines = {
        "reason": f"{item.reason}: {item.detail}",
        "rejected": _second(item.rejected_at) + "Z",
        "type": item.type or "-",
        "key": text_of(original.key),
        "sender": item.ce_source or "-",
        "id": item.ce_id or "- (known by where it lay)",
        "item": f"{item.item_id}{', one of many in its message' if item.of_many else ''}",
        "resent": _resent(item),
    }
    for name, text in lines.items():
        out.print(f"  [dim]{name:<9}[/]{escape(text)}")
    out.print("fields", style="bold")
    for error in item.errors:
        out.print(f"  {error['pointer'] or '/'}: {error['message']}", markup=False)
    show_record(original.headers, original.value, item.index if item.of_many else None)


def _resent(item: RejectedItem) -> str:
    if not item.resent_times or item.resent_at is None:
        return "never"
    return f"{item.resent_times}x, last {_second(item.resent_at)}Z (`orderflow acts`)"


def as_json(item: RejectedItem) -> dict[str, Any]:
    """An item for scripts."""
    at = item.coordinates
    return {
        "service": item.service,
        "topic": at.topic,
        "partition": at.partition,
        "offset": at.offset,
        "index": item.index,
        "item_id": item.item_id,
        "key": text_of(item.key) if item.key is not None else None,
        "type": item.type,
        "reason": item.reason,
        "detail": item.detail,
        "errors": item.errors,
        "ce_id": item.ce_id,
        "ce_source": item.ce_source,
        "of_many": item.of_many,
        "rejected_at": item.rejected_at,
        "resent": item.resent_times,
        "resent_at": item.resent_at,
    }


def original_as_json(original: OriginalBytes) -> dict[str, Any]:
    """What an item came as, for scripts."""
    return {
        "original_headers": headers_as_json(original.headers),
        "original": value_as_json(original.value),
    }


def sent_line(sent: Sent, *, is_try: bool) -> str:
    """One message that was, or would be, sent again."""
    message = sent.message
    first = message.items[0]
    verb, to = ("would send", "") if is_try else ("sent", f" -> {sent.to}")
    return f"{verb}  {places(message)}{to}  {first.type or '-'} {text_of(message.key)}"


def sent_as_json(sent: Sent, *, is_try: bool) -> dict[str, Any]:
    """The same for scripts."""
    at, to = sent.message.coordinates, sent.to
    return {
        "topic": at.topic,
        "partition": at.partition,
        "offset": at.offset,
        "indexes": [item.index for item in sent.message.items],
        "sent": not is_try and sent.error is None,
        "to": {"partition": to.partition, "offset": to.offset} if to else None,
        "error": sent.error,
    }


def _second(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
