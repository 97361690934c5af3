"""Registry: the dialects that stand in folders here, and which one a message is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType

from schemas.envelope import CE_TYPE, CONTENT_TYPE, CONTENT_TYPE_STRUCTURED
from services.orders.messages.carriers.bodies import in_utf_8
from services.orders.messages.carriers.code_maps import FOLDER
from services.orders.messages.carriers.dialect import Dialect, OwnForm

_Found = Dialect | OwnForm


def _find() -> Mapping[str, _Found]:
    """The dialect of each folder that has a parser, by the folder's name."""
    names = sorted(path.parent.name for path in FOLDER.glob("*/parser.py"))
    found: dict[str, _Found] = {}
    for name in names:
        dialect = import_module(f"{__package__}.{name}.parser").DIALECT
        if not isinstance(dialect, Dialect | OwnForm):
            raise TypeError(f"DIALECT of {name} must be a Dialect, not {type(dialect).__name__}")
        found[name] = dialect
    return MappingProxyType(found)


def _by(claims: Mapping[str, Sequence[str]], what: str) -> Mapping[str, str]:
    """The dialect of each claimed text.

    Raises:
        ValueError: two dialects claim one text.
    """
    found: dict[str, str] = {}
    for name, texts in claims.items():
        for text in texts:
            other = found.setdefault(text, name)
            if other != name:
                raise ValueError(f"{what} {text!r} is of both {other} and {name}")
    return MappingProxyType(found)


_ALL = _find()
OWN: Mapping[str, OwnForm] = MappingProxyType(
    {each.type: each for each in _ALL.values() if isinstance(each, OwnForm)}
)
"""Forms of the contract, by message type."""
DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {name: each for name, each in _ALL.items() if isinstance(each, Dialect)}
)
"""Forms of other companies, by name."""
BY_TYPE = _by({name: each.types for name, each in DIALECTS.items()}, "message type")
"""The dialect of each message type."""
_BY_CONTENT_TYPE = _by({name: each.content_types for name, each in DIALECTS.items()}, "media type")
_SHAPES = [(each.shape, name) for name, each in DIALECTS.items() if each.shape is not None]

OWN_TYPE, *_ = OWN
"""The type of a message that says none and has the shape of no dialect."""
TYPE_OF: Mapping[str, str] = MappingProxyType(
    {name: each.types[0] if isinstance(each, Dialect) else each.type for name, each in _ALL.items()}
)
"""The message type of each form, by the name of its folder; of several the first."""
MARKS_OF_TYPE: Mapping[bytes, tuple[bytes, ...]] = MappingProxyType(
    {type_.encode(): (each.scan_mark,) for type_, each in OWN.items()}
    | {type_.encode(): DIALECTS[name].scan_marks for type_, name in BY_TYPE.items()}
)
"""The marks of scans of each message type."""
ALL_MARKS = tuple(sorted({mark for marks in MARKS_OF_TYPE.values() for mark in marks}))
_NAMES = {type_.encode(): name for type_, name in BY_TYPE.items()}


def choose(headers: Sequence[tuple[str, bytes]], value: bytes | None) -> str | None:
    """Name the dialect of a message by its type, its media type, or its shape, before decoding.

    None where it is of our own form, says its type in its body, or is of no known dialect: what
    decodes it finds that out.
    """
    said = dict(headers)
    if type_ := said.get(CE_TYPE):
        return _NAMES.get(type_)
    media = said.get(CONTENT_TYPE, b"").decode("utf-8", "replace").strip().lower()
    if media.startswith(CONTENT_TYPE_STRUCTURED):
        return None
    if media and (found := _BY_CONTENT_TYPE.get(media.partition(";")[0].strip())):
        return found
    return shape_of(value)


def shape_of(value: bytes | None) -> str | None:
    """Name the one dialect whose shape a body has; None where several have it."""
    text = in_utf_8(value) if value else b""
    found = [name for shape, name in _SHAPES if text and shape.search(text)]
    return found[0] if len(found) == 1 else None
