"""Members of the contract's messages, found in its models, and bodies made of its examples."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from schemas import commands, tracking

Path = tuple[str | int, ...]
Body = dict[str, Any]


class _Bulk(commands.OrdersFulfillBulk):
    """The command with the model of its items named."""

    items: list[commands.BulkFulfillment]


MODELS: Mapping[str, type[BaseModel]] = {
    **commands.MODELS,
    **tracking.MODELS,
    commands.ORDERS_FULFILL_BULK: _Bulk,
}


def _parts(type_: Any) -> Iterator[Any]:
    origin = get_origin(type_)
    if origin is Annotated:
        yield from _parts(get_args(type_)[0])
    elif origin in (Union, UnionType):
        for each in get_args(type_):
            yield from _parts(each)
    elif origin is list:
        yield list
        yield from _parts(get_args(type_)[0])
    else:
        yield type_


def _model_in(parts: list[Any]) -> type[BaseModel] | None:
    models = (each for each in parts if isinstance(each, type) and issubclass(each, BaseModel))
    return next(models, None)


def time_members(model: type[BaseModel], at: Path = ()) -> Iterator[Path]:
    """Where the model has days and instants; of a list in its first entry."""
    for name, info in model.model_fields.items():
        parts = list(_parts(info.annotation))
        here = (*at, info.alias or name, *([0] if list in parts else []))
        if inner := _model_in(parts):
            yield from time_members(inner, here)
        elif date in parts or datetime in parts:
            yield here


def full_body(model: type[BaseModel]) -> Body:
    """A body with all members, each with the example of the contract."""
    body: Body = {}
    for name, info in model.model_fields.items():
        parts = list(_parts(info.annotation))
        inner = _model_in(parts)
        value = full_body(inner) if inner else (info.examples or [None])[0]
        body[info.alias or name] = [value] if inner and list in parts else value
    return body


def with_value(body: Body, path: Path, value: Any) -> Body:
    """The body with this value at the place."""
    changed = copy.deepcopy(body)
    inside: Any = changed
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = value
    return changed
