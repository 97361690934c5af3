"""Why a scan happened: what the carrier said counts before what the event name says by itself.

Rule: docs/scan-rules.md, rule 15b.
"""

from __future__ import annotations

from services.orders.domain.tracking.catalogue import Entry, Why
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.tracking.state import Effect
from services.orders.domain.value import replace


def why_of(scan: Scan, entry: Entry) -> Why | None:
    """The reason and the action of a scan; `entry` is the line of its event name."""
    why = entry.why
    if scan.why is not None:
        why = scan.why if why is None else _joined(scan.why, why)
    return why if why is None or scan.reason is None else replace(why, reason=scan.reason)


def _joined(said: Why, by_name: Why) -> Why:
    return Why(
        reason_code=said.reason_code or by_name.reason_code,
        action_required=said.action_required or by_name.action_required,
    )


_NO_REASON = Why()


def changes_of(before: Why | None, after: Why | None) -> tuple[Effect, ...]:
    """What differs between the reasons and the actions of two states."""
    one, other = before or _NO_REASON, after or _NO_REASON
    reason = (Effect.REASON,) if one.reason_code != other.reason_code else ()
    action = (Effect.ACTION,) if one.action_required is not other.action_required else ()
    return reason + action
