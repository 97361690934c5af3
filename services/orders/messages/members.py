"""Domain values with all their members, as events write them.

Stored documents leave out what says nothing; events have it as null or an empty list, so that a
reader finds every member of the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, reduce
from operator import or_
from types import GenericAlias, NoneType
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from services.orders.domain.model.decision import ShipmentEventData
from services.orders.domain.tracking.scan import Eta
from services.orders.domain.value import Value, fields

_RENAMED: Mapping[type[Value], Mapping[str, str]] = {Eta: {"earliest": "from", "latest": "to"}}
"""A window of arrival has other names in the contract; a day in it stays a day."""

_LEFT_OUT: Mapping[type[Value], tuple[str, ...]] = {
    ShipmentEventData: (
        "reason_code",
        "action_required",
        "previous_action_required",
        "carrier_status",
    )
}
"""Members that few values have, the last of their classes: they are written only where they say
something."""

_to_lines = msgspec.json.Encoder().encode_lines
to_json = msgspec.json.Encoder().encode
"""JSON of a value: amounts as strings, instants as RFC 3339 (UTC as Z), days as days.

Raises TypeError for a type that JSON does not have.
"""


def with_all_members(value: Value) -> Any:
    """A copy of the value for `to_json`, which then writes members that say nothing, too."""
    return writer_of(type(value))(value)


def lines_of(values: Sequence[Value]) -> bytes:
    """JSON of values of one class with all their members, a newline after each and nowhere else.

    One call into C copies all values and another encodes them: a third of the time that one value
    after the other takes.
    """
    if not values:
        return b""
    copies = msgspec.convert(values, _many_written(type(values[0])), from_attributes=True)
    return _to_lines(copies)


@cache
def _many_written(kind: type[Value]) -> Any:
    return GenericAlias(list, _written(kind))


@cache
def _written(kind: type[Value]) -> type[Struct]:
    """A class with the same members in the same order, mutable; those of `_LEFT_OUT` alone have
    defaults.
    """
    left_out = _LEFT_OUT.get(kind, ())
    members = [
        (each.name, _type_written(each.type), each.default)
        if each.name in left_out
        else (each.name, _type_written(each.type))
        for each in fields(kind)
    ]
    return msgspec.defstruct(
        kind.__name__, members, rename=_RENAMED.get(kind), omit_defaults=True, gc=False
    )


def _type_written(type_: Any) -> Any:
    """Values of the domain as what is written of them, tuples of them as lists; the rest as is."""
    if isinstance(type_, type) and issubclass(type_, Value):
        return _written(type_)
    if type_ is NoneType or not _holds_values(type_):
        return type_ if type_ is NoneType else Any
    nested = [_type_written(each) for each in get_args(type_) if each is not Ellipsis]
    return GenericAlias(list, nested[0]) if get_origin(type_) is tuple else reduce(or_, nested)


@cache
def writer_of(kind: type[Value], left_out: tuple[str, ...] = ()) -> Callable[[Value], Any]:
    """What copies values of this class; `left_out` members are None in the copy, for others to set.

    The copy's class has the same members in the same order, and is mutable.
    """
    written = _written(kind)
    names = kind.__struct_fields__
    nested = [
        place
        for place, field in enumerate(fields(kind))
        if _holds_values(field.type) and field.name not in left_out
    ]
    empty = [names.index(name) for name in left_out]
    if not nested and not empty:
        return lambda value: written(*astuple(value))

    def write(value: Value) -> Struct:
        members: list[Any] = list(astuple(value))
        for place in nested:
            if members[place]:
                members[place] = _nested(members[place])
        for place in empty:
            members[place] = None
        return written(*members)

    return write


def _holds_values(type_: Any) -> bool:
    if isinstance(type_, type) and issubclass(type_, Value):
        return True
    return any(map(_holds_values, get_args(type_)))


def _nested(member: Any) -> Any:
    if isinstance(member, tuple):
        return [with_all_members(each) for each in member]
    return with_all_members(member)


def joined(*objects: bytes) -> bytes:
    """JSON objects, none of them empty, as one that has the members of all."""
    return b"{%b}" % b",".join([each[1:-1] for each in objects])
