"""Operators' acts on the screen, and as JSON."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import orjson
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from services.runtime.operations.audit import Act, RecordedAct

ServiceAct = tuple[str, RecordedAct]
"""The service whose schema holds the act, and the act."""


def table(acts: Sequence[ServiceAct]) -> Table:
    """One line an act."""
    shown = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for heading in ("at (UTC)", "service", "who", "act", "on"):
        shown.add_column(heading, no_wrap=True)
    shown.add_column("why")
    shown.add_column("detail", ratio=1, max_width=60, overflow="ellipsis", no_wrap=True)
    for service, recorded in acts:
        act = recorded.act
        when = f"{recorded.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        detail = " ".join(f"{name}={_plain(value)}" for name, value in act.detail.items())
        cells = (when, service, act.actor, act.act, spot_of(act), act.reason, detail)
        shown.add_row(*map(escape, cells))
    return shown


def as_json(found: ServiceAct) -> dict[str, Any]:
    """An act for scripts."""
    service, recorded = found
    act = recorded.act
    return {
        "service": service,
        "id": recorded.id,
        "at": recorded.at,
        "actor": act.actor,
        "reason": act.reason,
        "act": act.act,
        "topic": act.topic,
        "partition": act.partition,
        "offset": act.offset,
        "index": act.index,
        "detail": act.detail,
    }


def spot_of(act: Act) -> str:
    """What an act was done to: a topic, a partition, a record, or an item."""
    parts = (act.topic, act.partition, act.offset)
    spot = "/".join(str(part) for part in parts if part is not None)
    is_item = act.index is not None and act.index >= 0
    return (f"{spot}#{act.index}" if is_item else spot) or "-"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
