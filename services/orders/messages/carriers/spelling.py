"""Spelling: names of members as versions of an interface and its client libraries spell them.

`piece-code`, `@piece-code`, `piece_code` and `pieceCode` are one name: `piececode`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from services.orders.messages.carriers.plain import WRAPPERS
from services.runtime.messages.json_codec import pointer_step

_DEPTH_MAX = 12
_NAME_MAX = 64


def folded(value: Any, depth: int = 0) -> Any:
    """A value with its names of members folded; of two with one name, the first with a value.

    What is nested deeper than a payload of a carrier is left out.
    """
    if isinstance(value, list):
        return [folded(entry, depth + 1) for entry in value] if depth < _DEPTH_MAX else None
    if not isinstance(value, dict):
        return value
    if depth >= _DEPTH_MAX:
        return None
    found: dict[str, Any] = {}
    for name, said in value.items():
        if said is not None:
            found.setdefault(folded_name(name), folded(said, depth + 1))
    return found


@lru_cache(maxsize=4096)
def folded_name(name: str) -> str:
    """A name by its ASCII letters and digits, in lower case."""
    return "".join(c for c in name[:_NAME_MAX].lower() if c.isascii() and c.isalnum())


def name_of(value: Any, *folded_names: str) -> str | None:
    """The member's own name of the first folded name that a value has with a value."""
    if not isinstance(value, dict):
        return None
    own = {folded_name(name): name for name in reversed(value) if value[name] is not None}
    return next((own[name] for name in folded_names if name in own), None)


def each_spelling(
    value: Any, *folded_names: str, pointer: str = "", depth: int = WRAPPERS
) -> Iterator[tuple[str, Any]]:
    """The objects that have a value of one of the folded names, with their pointers.

    As `each_having` of plain values, whatever stands around them.
    """
    if name_of(value, *folded_names) is not None:
        yield pointer, value
    elif depth and isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for key, entry in inner:
            if isinstance(entry, dict | list):
                deeper = pointer + pointer_step(str(key))
                yield from each_spelling(entry, *folded_names, pointer=deeper, depth=depth - 1)
