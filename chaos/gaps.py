"""Polls with a gap in them: records that a service is never handed, though later ones are.

So FastStream leaves them when a poll raises and the seek back fails. What is sound reads again from
where it stands. The order is the same file as for the points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chaos.patching import patch
from chaos.points import order_file
from services.runtime.consumer.chunking import by_partition

GAP = "leave a gap"


def install(control: str, replica: str) -> None:
    """Make every poll look for the order."""
    order = order_file(Path(control), replica)
    patch(
        "services.runtime.partitions.assignment:Assignment.verify_log",
        lambda verify: _gapped(verify, order),
    )


def _gapped(verify: Callable[..., Any], order: Path) -> Callable[..., Any]:
    async def verified(self: Any, records: Sequence[Any]) -> Sequence[Any]:
        return _without_one(await verify(self, records), order)

    return verified


def _without_one(records: Sequence[Any], order: Path) -> Sequence[Any]:
    """Drop one record, as ordered, if a later one of its partition shows the gap."""
    if not order.exists() or order.read_text(encoding="utf-8") != GAP:
        return records
    first = next((part[0] for part in by_partition(records).values() if len(part) > 1), None)
    if first is None:
        return records
    order.unlink()
    return [record for record in records if record is not first]
