"""Tree: the nodes of an answer of DHL Paket, of XML or of JSON.

In XML every element is `data`, with its kind in `name`. Client libraries write the same as JSON:
with the attributes as members (`ice`, `@ice`) or in an object of their own (`@attributes`, `$`),
or with the kinds as names of members (`piece-shipment`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from services.orders.messages.carriers.plain import WORD, each, each_with_pointer, text
from services.orders.messages.carriers.spelling import folded_name, name_of
from services.runtime.messages.json_codec import pointer_step

_DEPTH_MAX = 10
_SHIPMENTS = ("pieceshipment", "piecestatuspublic")
_EVENT, _EVENT_LIST = "pieceevent", "pieceeventlist"
_ATTRIBUTES = ("@attributes", "_attributes", "$", "attributes")


class Node(Struct, frozen=True, gc=False):
    """An element, or an object of JSON."""

    pointer: str
    kind: str
    """What it is, folded; empty where nothing says it."""
    value: dict[str, Any]

    @property
    def is_shipment(self) -> bool:
        """Whether it is a parcel."""
        return self.kind in _SHIPMENTS or (
            self.kind not in (_EVENT, _EVENT_LIST)
            and attribute(self.value, "piece-code") is not None
        )

    @property
    def is_event_list(self) -> bool:
        """Whether it is the list of events of a parcel."""
        return self.kind == _EVENT_LIST and bool(any(event_lists(self.value)))


def attribute(value: Any, name: str) -> Any:
    """The attribute of a node, however it is spelled; None where there is none."""
    found = _own(value, name)
    if found is None and isinstance(value, dict):
        for holder in _ATTRIBUTES:
            found = found if found is not None else _own(value.get(holder), name)
    return found


def _own(value: Any, name: str) -> Any:
    if not isinstance(value, dict):
        return None
    exact = value.get(f"@{name}", value.get(name))
    if exact is not None:
        return exact if not isinstance(exact, dict | list) else None
    own = name_of(value, folded_name(name))
    found = value[own] if own is not None else None
    return found if not isinstance(found, dict | list) else None


def nodes(body: Any, pointer: str = "", kind: str = "", depth: int = 0) -> Iterator[Node]:
    """The nodes of an answer, from the outside in; a parcel is not looked into."""
    for at, value in each_with_pointer(body, pointer):
        if not isinstance(value, dict):
            continue
        found = Node(at, folded_name(text(attribute(value, "name"), WORD) or kind), value)
        yield found
        if found.is_shipment or depth >= _DEPTH_MAX:
            continue
        for name, inner in value.items():
            if isinstance(inner, dict | list) and name not in _ATTRIBUTES:
                yield from nodes(inner, f"{at}{pointer_step(name)}", name, depth + 1)


def event_lists(piece: Any, pointer: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The lists of events in a parcel, each with its pointer."""
    if not isinstance(piece, dict) or depth > _DEPTH_MAX:
        return
    for name, inner in piece.items():
        if not isinstance(inner, dict | list) or name in _ATTRIBUTES:
            continue
        at = f"{pointer}{pointer_step(name)}"
        if any(_is_event(entry, name) for _, entry in each(inner)):
            yield at, inner
        else:
            for deeper, entry in each_with_pointer(inner, at):
                yield from event_lists(entry, deeper, depth + 1)


def _is_event(value: Any, name: str) -> bool:
    kind = folded_name(text(attribute(value, "name"), WORD) or name)
    return kind == _EVENT or attribute(value, "event-timestamp") is not None


def is_failure(piece: Any) -> bool:
    """Whether it says that DHL has no tracking, and why."""
    codes = (attribute(piece, name) for name in ("error-status", "piece-status", "code"))
    return any(text(code, WORD) not in (None, "0") for code in codes)
