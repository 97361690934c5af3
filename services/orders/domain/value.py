"""The base of the domain's values: frozen `msgspec.Struct`s, and how to change one.

Measured on CPython 3.11: building an order takes 0.43 µs instead of 2.30 as a frozen dataclass,
replacing a field 0.15 µs instead of 4.34.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import fields

if TYPE_CHECKING:
    # Typed as the standard library's: the type checker then knows which fields may be replaced.
    from dataclasses import replace
else:
    from msgspec.structs import replace


class Value(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """An immutable value, equal to another of its class with equal fields.

    Subclasses repeat `frozen=True` for the type checker; a test compares the settings of all.
    `gc=False`: a value refers only to values made before it, so no cycle can run through one.
    `omit_defaults`: stored documents leave out a member that is its default. msgspec compares text
    by identity, so a default that a sender wrote out ("EUR") may be stored; it reads back the same.
    """


__all__ = ["Value", "fields", "replace"]
