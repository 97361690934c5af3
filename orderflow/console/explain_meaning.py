"""What a scan means, for people and scripts: row of a code map, reason, and who must act."""

from typing import Any

from services.orders.domain.tracking.catalogue import Why, entry_of
from services.orders.domain.tracking.naming import is_named_by_map, meaning_of
from services.orders.domain.tracking.scan import Scan
from services.orders.domain.tracking.why import why_of
from services.orders.domain.value import replace
from services.orders.messages.carriers.code_maps import CODE_MAPS


def row_of(scan: Scan) -> str | None:
    """The row of the present code maps that names a scan, as `set/code/sub-code/class`."""
    return meaning_of(scan, CODE_MAPS).row if is_named_by_map(scan) else None


def meaning_as_json(scan: Scan) -> dict[str, Any]:
    """What a carrier said of a scan, and what it means."""
    return {
        "carrier_code": scan.code,
        "carrier_status": scan.name,
        "row": row_of(scan),
        **why_as_json(_why(scan)),
        "reason": scan.reason,
    }


def why_as_json(why: Why | None) -> dict[str, Any]:
    """A reason and an action."""
    return {
        "reason_code": why and why.reason_code,
        "reason": why and why.reason,
        "action_required": why is not None and why.action_required,
    }


def meaning_lines(scan: Scan, *, with_words: bool) -> list[str]:
    """The reason and the action of a scan, as far as it has them.

    The carrier's own word for the reason may name a person: only `with_words`.
    """
    why = _why(scan) or Why(reason=scan.reason)
    return why_lines(why if with_words else replace(why, reason=None))


def why_lines(why: Why | None) -> list[str]:
    """A reason, with the carrier's own word for it, and an action."""
    if why is None:
        return []
    word = why.reason if why.reason != why.reason_code else None
    said = [why.reason_code, f'"{word}"' if word else None]
    action = "action required" if why.action_required else None
    return [line for line in (" ".join(filter(None, said)), action) if line]


def _why(scan: Scan) -> Why | None:
    return why_of(scan, entry_of(scan.event_name))
