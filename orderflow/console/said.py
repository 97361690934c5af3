"""What a carrier said in a scan, without the words that may name a person."""

from __future__ import annotations

import re
from typing import Any

from orderflow.console.explain_meaning import meaning_lines
from services.orders.domain.tracking.named_by import NamedBy, Namer
from services.orders.domain.tracking.scan import Scan

_CODE = re.compile(r"[\w.:/*+-]{1,64}", re.ASCII)
"""What looks like a code. A text with spaces may hold a name, as "handed to Ms Miller" does."""


def said_by(scan: Scan, by: NamedBy, *, with_words: bool) -> dict[str, Any]:
    """The raw code, name and reason; of words that no map knows, and the text, only on request.

    `left_out` has the members with words that are not shown.
    """
    is_known = by.namer in (Namer.MAP, Namer.CATALOGUE)
    shown = {
        "code": _shown(scan.code, with_words),
        "name": _shown(scan.name, with_words or is_known),
        "reason": _shown(scan.reason, with_words or by.reason is not None),
        "text": scan.text if with_words else None,
    }
    left_out = [member for member in shown if shown[member] is None and getattr(scan, member)]
    return {"code_set": scan.code_set, **shown, "left_out": left_out}


def _shown(said: str | None, is_free: bool) -> str | None:
    return said if said is None or is_free or _CODE.fullmatch(said) else None


def said_line(scan: Scan, by: NamedBy, *, with_words: bool = False) -> str:
    """What a carrier said and what named it, on one line: `OD/I -> ups/OD//I`."""
    said = said_by(scan, by, with_words=with_words)
    parts = [said["name"] or said["code"] or ""]
    if with_words and said["text"]:
        parts.append(f'"{said["text"]}"')
    parts += [f"({member} not shown)" for member in said["left_out"] if member != "text"]
    raw = " ".join(part for part in parts if part)
    line = f"{raw} -> {by.sentence}" if raw else by.sentence
    if by.event_name != scan.event_name:
        line += f" (present maps: {by.event_name})"
    flag = [f"flag {by.flag}"] if by.flag else []
    return "; ".join([line, *meaning_lines(scan, with_words=with_words), *flag])
