"""Put a function of the campaign around one of the services', by name, or fail loudly."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Awaitable, Callable
from typing import Any

Around = Callable[..., Any]


class NameGone(Exception):
    """What should be patched is no longer there: tell the campaign what replaced it."""


def patch(place: str, make: Callable[[Any], Any]) -> None:
    """Replace `package.module:Name.attribute` by `make(what was there)`.

    Raises:
        NameGone: there is nothing of that name.
    """
    module_name, _, path = place.partition(":")
    try:
        owner: Any = importlib.import_module(module_name)
        *parents, last = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        found = owner.__dict__[last]
    except (ImportError, AttributeError, KeyError):
        raise NameGone(f"{place} is not there any more: tell chaos what replaced it") from None
    setattr(owner, last, make(found))


def around(
    place: str,
    *,
    before: Callable[..., None] | None = None,
    after: Callable[..., None] | None = None,
) -> None:
    """Call `before` and `after` around an asynchronous function, with its arguments."""

    def make(found: Callable[..., Awaitable[Any]]) -> Any:
        @functools.wraps(found)
        async def wrapped(*arguments: Any, **named: Any) -> Any:
            if before:
                before(*arguments, **named)
            result = await found(*arguments, **named)
            if after:
                after(*arguments, **named)
            return result

        return wrapped

    patch(place, make)
