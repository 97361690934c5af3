"""Wrapped parcels: the parcels of a payload, whatever its sender put around them.

Carriers wrap the same parcel in answers of APIs, in envelopes of webhooks and of SOAP, and in lists
of some of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from services.orders.messages.carriers.dialect import Part
from services.runtime.messages.json_codec import pointer_step

DEPTH_MAX = 16
"""Most objects and lists around a parcel."""


class _Around(Struct, frozen=True, gc=False):
    """A value in which parcels may be, and where it stands."""

    pointer: str
    name: str
    value: Any
    inherited: Mapping[str, Any]
    depth: int


def wrapped_parts(
    body: Any, is_parcel: Callable[[str, Mapping[str, Any]], bool], inherited: Sequence[str] = ()
) -> Iterator[Part]:
    """The parcels of a body, in its order; what stands in a parcel is not searched.

    `is_parcel` is given the name of a member and its object. `inherited` are members that a parcel
    without them has from the nearest object around it.
    """
    found: list[_Around] = [_Around("", "", body, {}, 0)]
    while found:
        at = found.pop()
        if isinstance(at.value, dict) and is_parcel(at.name, at.value):
            yield Part(at.pointer, {**at.inherited, **at.value} if at.inherited else at.value)
        elif at.depth < DEPTH_MAX:
            found += reversed(list(_within(at, inherited)))


def _within(at: _Around, inherited: Sequence[str]) -> Iterator[_Around]:
    """The objects and lists in a list, or in the members of an object."""
    if isinstance(at.value, list):
        for index, entry in enumerate(at.value):
            if isinstance(entry, dict | list):
                yield _Around(f"{at.pointer}/{index}", at.name, entry, at.inherited, at.depth + 1)
    elif isinstance(at.value, dict):
        own = {name: at.value[name] for name in inherited if at.value.get(name) is not None}
        below = {**at.inherited, **own}
        for name, entry in at.value.items():
            if isinstance(entry, dict | list):
                pointer = f"{at.pointer}{pointer_step(name)}"
                yield _Around(pointer, name, entry, below, at.depth + 1)
